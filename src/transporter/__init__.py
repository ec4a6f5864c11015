"""TRANSPORTER: from the logits of a video vision-language model to videos."""
