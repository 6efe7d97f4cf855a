//! `libtwin`: the device and the service client for C. What users read is the top of `include/twin.h`.
//!
//! Each exported function is one [`boundary::guard`] around safe code: handles are numbers in tables, so that a handle
//! that was closed, was never one or belongs to somebody else is an error and not a crash.
//!
//! | room | what is in it |
//! |---|---|
//! | [`boundary`] | the guard around every export: panics, forks, the error's way out |
//! | [`handle`] | tables of what C holds |
//! | [`result`], [`error`] | `twin_result`, `twin_error` |
//! | [`string`] | text in and out |
//! | [`runtime`] | the threads, blocking waits |
//! | [`desk`] | callbacks: on the library's thread or through `twin_client_poll` |
//! | [`options`] | options structs, copied safely whatever their version |
//! | [`client`], [`client_async`], [`watch`], [`message`], [`pool`] | devices and modules |
//! | [`registry`], [`registry_async`], [`query`] | backends |
//! | [`pure`], [`json`] | functions without a network |

mod boundary;
mod client;
mod client_async;
mod desk;
mod error;
mod handle;
mod json;
mod message;
mod options;
mod pool;
mod pure;
mod query;
mod registry;
mod registry_async;
mod result;
mod runtime;
mod string;
mod watch;
