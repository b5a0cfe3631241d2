"""What moves under the mouse in a notebook: a picture to click on, a slider through pictures."""
