//! twin-device
