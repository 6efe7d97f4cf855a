//! Device twins for backends: identities, twins, queries, over the hub's REST interface.
//!
//! ```
//! use serde_json::json;
//! use twin_service::{Identity, IfMatch, Registry, TwinChange, TwinKey};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> twin_service::Result<()> {
//! // A hub for this example; yours has a connection string of its own.
//! let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
//! let registry = Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
//!
//! let lamp = TwinKey::device("lamp-1")?;
//! registry.create(&Identity::new(lamp.clone())).await?;
//!
//! let twin = registry.twin(&lamp).await?;
//! let change = TwinChange::new().tags(json!({"location": {"plant": "Redmond43"}})).desired(json!({"on": true}));
//! let twin = registry.update_twin(&lamp, &change, IfMatch::ETag(&twin.etag)).await?;
//! assert_eq!(twin.tags["location"]["plant"], "Redmond43");
//!
//! let mut found = registry.query("SELECT * FROM devices WHERE tags.location.plant = 'Redmond43'").twins();
//! while let Some(twin) = found.next().await {
//!     println!("{} is in Redmond", twin?.device_id);
//! }
//! # hub.close().await
//! # }
//! ```
//!
//! # Your own types
//!
//! ```
//! use twin_service::{Identity, IfMatch, Registry, SectionName, TwinChange, TwinKey, TypedTwin, typed};
//!
//! #[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
//! #[serde(default)]
//! struct Settings {
//!     on: bool,
//!     brightness: Option<u8>,
//! }
//!
//! #[derive(serde::Deserialize)]
//! struct Tags {
//!     floor: i32,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> twin_service::Result<()> {
//! # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
//! # let registry = Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
//! # let lamp = TwinKey::device("lamp-1")?;
//! # registry.create(&Identity::new(lamp.clone())).await?;
//! let change = TwinChange::new().tags(serde_json::json!({"floor": 3})).desired(Settings { on: true, brightness: Some(80) });
//! let twin = registry.update_twin(&lamp, &change, IfMatch::Force).await?;
//!
//! let tags: Tags = typed::read(SectionName::Tags, &twin.tags)?;
//! let properties: TypedTwin<Settings, Settings> = TypedTwin::read_service(&twin)?;
//! assert!(tags.floor == 3 && properties.desired.value.on && !properties.reported.value.on);
//!
//! // Only what changed goes out: brightness is removed, on is not named.
//! let old = properties.desired.value;
//! let change = TwinChange::new().desired_changes(&old, &Settings { brightness: None, ..old.clone() });
//! let twin = registry.update_twin(&lamp, &change, IfMatch::ETag(&twin.etag)).await?;
//! assert_eq!(serde_json::json!(twin.desired.value), serde_json::json!({"on": true}));
//! # hub.close().await
//! # }
//! ```
//!
//! # What is in here
//!
//! | room | what is in it |
//! |---|---|
//! | [`Registry`], [`RegistryBuilder`], [`Retry`], [`Clock`] | a hub's service side; how it is reached, when it tries again |
//! | [`Identity`] and [`Registry::create`] … [`Registry::delete`] | devices and modules |
//! | [`BulkResult`] and [`Registry::create_many`] … | up to 100 identities in one request |
//! | [`Twin`], [`TwinChange`], [`IfMatch`] | twins: get, update, replace |
//! | [`Query`], [`Pages`], [`Page`], [`Rows`] | queries, page by page or row by row |
//! | [`RestClient`] | requests as the caller spells them, for what has no method here |
//! | [`Error`], [`ErrorKind`], [`Delivery`] | what went wrong, and whether it may have happened anyway |
//!
//! Every future may be dropped: that abandons the request. Whether the hub acted on it is then unknown.

mod bulk;
mod call;
mod clock;
mod identities;
mod options;
mod query;
mod registry;
mod rest;
mod rows;
mod statistics;
mod token;
mod twins;

pub use bulk::{BulkIfMatch, BulkItem, BulkResult, MAX_BULK_ITEMS};
pub use clock::{Clock, SystemClock};
pub use options::{RegistryBuilder, Retry};
pub use query::{MAX_PAGE_SIZE, Page, Pages, Query, QueryText};
pub use registry::Registry;
pub use rest::{RestAnswer, RestClient};
pub use rows::Rows;
pub use statistics::{DeviceStatistics, ServiceStatistics};
pub use twins::{IfMatch, TwinChange};

pub use twin_core::auth::{Key, SasToken, ServiceConnectionString};
pub use twin_core::identity::{Authentication, Identity, Status};
pub use twin_core::query::{Field, QueryBuilder, field, field_at, not};
pub use twin_core::twin::{Object, Properties, SectionName, Typed, TypedTwin, typed};
pub use twin_core::{
    Delivery, DeviceId, ETag, Error, ErrorKind, HostName, ModuleId, Result, Timestamp, Twin, TwinKey,
};
pub use twin_transport::{Options as ConnectionOptions, Proxy};
