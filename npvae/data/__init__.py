"""Data as training takes them: checked, scaled, standardised, batch by batch."""
