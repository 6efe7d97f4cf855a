//! twin-service
