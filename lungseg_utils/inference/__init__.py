"""An X-ray of one's own: files and DICOM in; outlines, areas and remarks out."""
