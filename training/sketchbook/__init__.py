"""The sketchbook: draws storybook scenes by program, each with its caption."""
