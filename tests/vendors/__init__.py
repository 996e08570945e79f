"""What every vendor has in common, and one that is none of ours."""
