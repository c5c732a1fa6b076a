"""What readers get: tables and claims as Markdown, galleries, and what the terminal shows during and after a run."""
