//! The native half of the Node.js packages: thin exports over `twin-device` and `twin-service`.
//!
//! JavaScript owns shape (classes, events, overloads, argument checks), this crate owns behaviour (connections, sessions,
//! tokens, requests). What crosses is text, numbers and JSON; what takes time ends as a letter in the isolate's one
//! `mailbox`. Exports never throw for what the network or the hub does: every outcome is `{"ok":…}` or `{"failure":…}`
//! in JSON, and `packages/azure-iot-common/lib/native.js`, the only file that loads this addon, makes real errors of it.
//!
//! | room | what is in it |
//! |---|---|
//! | `mailbox` | letters to JavaScript: one thread-safe function for each isolate |
//! | `device` | a device's or module's session |
//! | `messages` | its telemetry, and messages from the cloud |
//! | `errand` | requests that run where they are begun and answered |
//! | `rest` | requests of backends |
//! | `options` | how connections are made |
//! | `retry` | the retry policy that JavaScript chose |
//! | `outcome` | results as JSON |

mod device;
mod errand;
mod mailbox;
mod messages;
mod options;
mod outcome;
mod rest;
mod retry;
mod runtime;
