"""Documents by recipe: pinned packages fetched, files selected, split by package."""
