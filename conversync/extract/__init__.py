"""Reading: windows, pages, rows; what is set aside, and why a reading is believed whole."""
