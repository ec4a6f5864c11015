"""What a person looks at: filmstrips, contact sheets and the gallery page."""
