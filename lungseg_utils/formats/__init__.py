"""Files of others: pictures and DICOM in, data sets of other layouts, DICOM Segmentation out."""
