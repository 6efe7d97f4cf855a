//! Text → tokens with spans.
