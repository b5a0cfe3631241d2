"""How far each thing in a drawn X-ray may vary, what can be left out, and the version of the drawing."""

PHANTOM_VERSION = 3  # part of the bytes: raise it whenever a drawing changes

# Ranges of shape and place were widened until drawn lungs span the published percentiles of real ones in
# real_ranges.json (two hospitals; `python -m studies compare` prints both side by side, and a test holds them
# together). Attenuations are wider than any real ones: a network that has seen them all learns shapes.
# Ranges are (low, high), drawn evenly. Units: "picture" is a fraction of the picture's height or width, u and t are
# body coordinates, "torso" is the attenuation of the thickest part of the torso.

# Patient and pose
HALF_WIDTH = (0.26, 0.48)  # of the chest, picture
HEIGHT = (0.45, 0.97)  # from the apices to the costophrenic angles, picture
APEX = (0.02, 0.19)  # upper edge of the lungs, picture
SHIFT = (-0.06, 0.06)  # of the mid-line from the middle, picture
MARGIN = -0.01  # least distance of a lung from the lower and side edges, picture
TILT = (-4, 4)  # degrees
TURN = (-0.1, 0.1)  # how much wider one half of the chest is, because the patient is turned, fraction
REVISIT = (-0.015, 0.015)  # change of the four places and sizes above between two visits, picture
FEMALE_ODDS = 0.5
AGE, GROWN = (3, 89), 15  # years; who is younger is a child
THYMUS = (1.0, 1.5)  # factor on the width of the upper mediastinum of children

# 1 Body
FLESH = (0.05, 0.30)  # between lung and skin at the side, u
HIPS = (-0.12, 0.20)  # how much wider the torso is at its lower end, u
SHOULDER = (-0.05, 0.06)  # height of the shoulders' upper edge, t
NECK = (0.19, 0.27)  # half-width, u
ROUNDING = (0.10, 0.32)  # depth below the skin at which the body has its full thickness, picture
ARM_ANGLE = (-60.0, 80.0)  # below the horizontal, degrees; some patients raise their arms
ARM_WIDTH = (0.32, 0.50)  # u
BREAST = (0.05, 0.60)  # torso
SHELL = (0.15, 0.6)  # muscles and ribs seen edge-on at the outer wall, torso
SHELL_WIDTH, SHELL_DEPTH = (0.02, 0.15), (0.005, 0.06)  # how far it reaches out, and in; picture

# 2 Lungs. Borders are (u, t) of the viewer's right half and, for the heart's other border, of the viewer's left.
OUTER = ((1.0, 0.93), (0.987, 0.83), (0.952, 0.7), (0.908, 0.5), (0.84, 0.3), (0.73, 0.15), (0.594, 0.06))
SUMMIT = ((0.35, 0.0), (0.14, 0.06), (0.097, 0.13))
ATRIUM = ((0.1, 0.2), (0.12, 0.3), (0.15, 0.4), (0.21, 0.52), (0.255, 0.63), (0.26, 0.73), (0.245, 0.93))
HEART_SIDE = ((0.12, 0.19), (0.18, 0.25), (0.18, 0.33), (0.22, 0.42), (0.29, 0.52), (0.43, 0.64), (0.56, 0.9))
APEX_WIDTH, APEX_WIDTH_STEP = (0.72, 1.35), (-0.1, 0.1)  # factor on the width of the upper lungs, and between the two
APEX_FLAT = (0.5, 1.2)  # factor on how steeply an apex falls to the outer side
APEX_STEP = (-0.03, 0.03)  # height of an apex, t
WALL = (-0.1, 0.1)  # bow of the outer wall at half of its height, u
UPPER_GAP = (0.6, 1.9)  # factor on the width of the upper mediastinum
ATRIUM_SIZE, HEART_SIZE = (0.4, 2.0), (0.55, 1.5)  # factors on the heart's bulge, viewer's left and right
HEART_SHIFT = (-0.06, 0.06)  # of the heart to one side, u
KNOB = (-0.04, 0.08)  # added bulge of the aortic knob, u
WAVES = ((3, 0.04), (6, 0.025), (11, 0.015))  # bends of a border: (radians per t, amplitude in u)
DOME = (0.76, 0.92)  # height of the diaphragm's dome on the viewer's left, t
DOME_STEP = (-0.06, 0.09)  # by how much the other dome is lower, t
DOME_DIP = (-0.02, 0.06)  # by how much the diaphragm is lower in the middle, t
DOME_POWER = (2.3, 6.5)  # how abruptly a dome falls to the costophrenic angle
ANGLE = (0.95, 1.07)  # height of the costophrenic angle, t
AIR = (0.45, 0.88)  # torso
AIR_RIM = (0.005, 0.08)  # depth inside the lung at which it has its full thickness, picture
AIR_POWER = (0.25, 0.8)  # how steeply it gets there
AIR_APEX = (0.0, 0.7)  # by how much the lungs hold less air at their apices, where they are thin; share
PLEURA = (0.0, 0.03)  # chest wall that the outer lung is hidden by, because the wall curves; u
HIDDEN_AIR = (0.1, 0.75)  # lung behind heart and diaphragm, which the masks leave out; share of AIR
RECESS = (0.02, 0.2)  # how far below its dome the lung behind the diaphragm thins out, t

SWELL, SWELL_POWER = (0.003, 0.04), (0.3, 1.0)  # depth at which the heart is fully thick, pictures
SWELL_BELOW = (0.003, 0.2)  # and liver, stomach and gut

# 3 to 5 Between the lungs
MEDIASTINUM = (0.03, 0.42)  # torso
MEDIASTINUM_WIDTH = (0.13, 0.6)  # half-width beyond which it thins out, u
NECK_SHADOW, NECK_REACH = (0.0, 0.3), (0.2, 0.5)  # muscles and vessels that cover the inner apices: torso; u
SPINE = (0.08, 0.36)  # torso
SPINE_WIDTH = (0.11, 0.16)  # half-width, u
VERTEBRA = (0.065, 0.085)  # spacing, t
TRACHEA, TRACHEA_WIDTH = (0.0, 0.5), (0.04, 0.09)  # torso; half-width, u
TRACHEA_SHIFT = (-0.08, 0.08)  # from the mid-line, u
HEART = (0.05, 0.32)  # torso
AORTA = (0.0, 0.16)  # torso

# 6 and 7 Below the diaphragm
ABDOMEN = (0.06, 0.85)  # torso: from nearly as dark as the lungs to white
FLANK_THIN, FLANK_WIDTH = (0.0, 0.95), (0.05, 0.6)  # share of the organs that is missing at the wall; how far in, u
FAT, FAT_WIDTH = (0.0, 0.3), (0.02, 0.2)  # dark stripe of fat along the flank: torso; u
DIAPHRAGM, DIAPHRAGM_WIDTH = (0.0, 0.12), (0.01, 0.03)  # bright edge of the dome: torso; u
MURK_ODDS, MURK = 0.7, (0.0, 0.16)  # of slow shades that mean nothing, everywhere but in the lungs; torso
BUBBLE_ODDS, LOOPS_ODDS = 0.6, (0.3, 0.75)  # of gas in the stomach; in the bowel, viewer's left and right
FLEXURE_ODDS = 0.5  # of gas in the bowel that stands at the wall
GAS = (0.05, 0.8)  # torso

# 8 to 10 Bones
RIB_PITCH = (0.088, 0.108)  # t
RIB_WIDTH = (0.045, 0.075)  # u
RIB = (0.04, 0.22)  # torso
RIB_BELOW = (0.3, 1.0)  # share of it that is seen over the organs below the diaphragm
CLAVICLE_WIDTH = (0.065, 0.10)  # u
CLAVICLE = (0.05, 0.26)  # torso
BLADE = ((0.88, 0.03), (1.1, 0.0), (1.3, 0.08), (1.17, 0.22), (1.04, 0.44), (0.97, 0.47), (0.87, 0.2))
SCAPULA = (0.02, 0.20)  # torso, and the bones of the arms

# 11 Hila and vessels
HILUM = (0.0, 0.25)  # torso
VESSEL = (0.02, 0.14)  # torso
VESSEL_WIDTH = (0.015, 0.035)  # at the hilum, u
TEXTURE = (0.005, 0.04)  # torso

# 12 Findings
FINDING_COUNT = (0.55, 0.30, 0.15)  # probability of one, two and three
INFILTRATE = (0.10, 0.60)  # torso
NODULE = (0.08, 0.28)  # torso
CAVITY = (0.12, 0.38)  # torso
SCAR = (0.06, 0.25)  # torso
EFFUSION_ODDS = 0.12
EFFUSION = (0.75, 1.0)  # level of the fluid, t
FLUID = (0.05, 0.6)  # torso

# 13 to 17 Wires and picture
WIRES_ODDS = 0.2
WIRE = (0.1, 0.6)  # torso
SCATTER = (0.0, 0.08)  # slow unevenness, torso
SIDE_SLOPE, DOWN_SLOPE = (-0.1, 0.1), (-0.1, 0.2)  # unevenness of the beam, torso per u and per t
WHITE = (86.0, 99.5)  # percentile of the attenuation that is shown as white
EQUALISER = (0.3, 0.9)  # share of the slow changes that some digital machines take out
EQUALISER_ODDS, EQUALISER_RADIUS = 0.25, (0.06, 0.2)  # radius in pictures
GAMMA = (0.55, 1.6)
SIGMOID_ODDS = 0.5  # of a contrast curve like film's, with this middle (share of white) and slope there
SIGMOID_MIDDLE, SIGMOID_SLOPE = (0.3, 0.5), (4, 8)
BORDER_ODDS = (0.25, 0.2, 0.2)  # of a black border below, on the viewer's left, on the viewer's right
RIM_ODDS = 0.3  # of a bright rim along it
LETTERS = (("R", 0.6, 0.02), ("PA", 0.4, 0.83), ("ERECT", 0.4, 0.77), ("L", 0.2, 0.86))  # text, odds, place
BLUR = (0.0, 0.003)  # picture
GRAIN = (0.0, 0.04)  # of the full grey range, at FINE px
BLACK, BRIGHT = (0.0, 0.25), (0.7, 1.0)  # greys of no light and of white in half of the pictures, full range

# What can be left out or held still, to see what it is worth
PARTS = {
    "bones": "ribs, clavicles, shoulder blades",
    "heart": "heart, aorta, spine and what lies around them",
    "hidden air": "lung that shines through heart and diaphragm",
    "vessels": "hila and vessels of the lungs",
    "breasts": "breasts",
    "wall": "bright wall of chest and flanks",
    "murk": "slow shades around the lungs that say nothing",
    "gas": "gas in stomach and bowel",
    "findings": "signs of disease",
    "objects": "black borders, letters, wires",
    "blur and grain": "blur and grain of the picture",
    "exposure": "random exposure: one contrast curve for all pictures",
    "thickness": "random thickness: body, lungs, heart and belly absorb the same in all pictures",
    "shape": "random shape and place: one chest for all pictures",
}
HELD = {  # parts that go on with the random numbers of seed 0
    "exposure": ("exposure",),
    "thickness": ("body", "shell", "air", "hidden air", "mediastinum", "heart", "aorta", "abdomen"),
    "shape": ("patient", "frame", "pose"),
}
