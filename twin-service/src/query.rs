//! Queries, page by page. Row by row is in [`Rows`].

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use twin_core::query::QueryBuilder;
use twin_core::wire::rest::{Answer, Call};
use twin_core::{Delivery, Error, ErrorKind, Result, Twin};

use crate::call::{no_document, parse};
use crate::registry::Registry;
use crate::rows::Rows;
use crate::twins::not_a;

/// Most rows that a page may be asked to have. The hub may give fewer.
pub const MAX_PAGE_SIZE: u32 = 10_000;

/// A query that is not yet made: choose the page size and where to resume, then how to read it.
///
/// Made by [`Registry::query`]. Nothing is sent before the first page or row is asked for.
#[derive(Clone, Debug)]
#[must_use = "a query does nothing until its pages or rows are asked for"]
pub struct Query {
    registry: Registry,
    text: String,
    page_size: Option<u32>,
    resume: Option<String>,
}

impl Registry {
    /// A query, as text or from a [`QueryBuilder`].
    ///
    /// Errors come with the first page: `Rejected` if the hub does not accept the text.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// # for id in ["a", "b", "c"] {
    /// #     registry.create(&twin_service::Identity::new(twin_service::TwinKey::device(id)?)).await?;
    /// # }
    /// let mut pages = registry.query("SELECT deviceId FROM devices").page_size(2).pages();
    /// while let Some(page) = pages.next_page().await? {
    ///     for row in page.rows()? {
    ///         println!("{}", row["deviceId"]);
    ///     }
    /// }
    /// assert!(!pages.has_more());
    /// # hub.close().await
    /// # }
    /// ```
    ///
    /// Text put together from what users type can be made to ask something else. A builder quotes it:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// use twin_service::{QueryBuilder, field};
    ///
    /// let typed_by_a_user = "Redmond43' OR '1' = '1";
    /// let query = QueryBuilder::devices().filter(field("tags.plant").eq(typed_by_a_user).and(field("tags.floor").ge(3)));
    /// assert!(registry.query(query).twins().next().await.is_none());
    /// # hub.close().await
    /// # }
    /// ```
    pub fn query(&self, query: impl Into<QueryText>) -> Query {
        Query { registry: self.clone(), text: query.into().0, page_size: None, resume: None }
    }
}

/// The text of a query: from a string or a [`QueryBuilder`].
#[derive(Clone, Debug)]
pub struct QueryText(String);

impl From<&str> for QueryText {
    fn from(text: &str) -> Self {
        QueryText(text.to_owned())
    }
}

impl From<String> for QueryText {
    fn from(text: String) -> Self {
        QueryText(text)
    }
}

impl From<&String> for QueryText {
    fn from(text: &String) -> Self {
        QueryText(text.clone())
    }
}

impl From<QueryBuilder> for QueryText {
    fn from(builder: QueryBuilder) -> Self {
        QueryText(builder.to_string())
    }
}

impl From<&QueryBuilder> for QueryText {
    fn from(builder: &QueryBuilder) -> Self {
        QueryText(builder.to_string())
    }
}

impl Query {
    /// How many rows a page has at most: 1 to [`MAX_PAGE_SIZE`]. Default: the hub's choice.
    ///
    /// Checked when the first page is asked for.
    pub fn page_size(mut self, rows: u32) -> Self {
        self.page_size = Some(rows);
        self
    }

    /// Goes on where [`Pages::continuation`] was taken: with the same text and page size as then.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// # for id in ["a", "b", "c"] {
    /// #     registry.create(&twin_service::Identity::new(twin_service::TwinKey::device(id)?)).await?;
    /// # }
    /// let query = || registry.query("SELECT * FROM devices").page_size(2);
    /// let mut pages = query().pages();
    /// assert_eq!(pages.next_page().await?.unwrap().len(), 2);
    /// let token = pages.continuation().unwrap().to_owned();
    /// // Later, perhaps in another process:
    /// let rest = query().resume_from(token).pages().next_page().await?.unwrap();
    /// assert_eq!(rest.len(), 1);
    /// # hub.close().await
    /// # }
    /// ```
    pub fn resume_from(mut self, continuation: impl Into<String>) -> Self {
        self.resume = Some(continuation.into());
        self
    }

    /// The result page by page.
    pub fn pages(self) -> Pages {
        let state = self.resume.clone().map_or(State::Start, State::More);
        Pages { query: self, state }
    }

    /// The result as a stream of twins: for `SELECT * FROM devices` and `devices.modules`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// # registry.create(&twin_service::Identity::new(twin_service::TwinKey::device("a")?)).await?;
    /// let mut twins = registry.query("SELECT * FROM devices").twins();
    /// while let Some(twin) = twins.next().await {
    ///     println!("{}", twin?.device_id);
    /// }
    /// # hub.close().await
    /// # }
    /// ```
    pub fn twins(self) -> Rows<Twin> {
        Rows::new(self.pages(), Page::twin_rows)
    }

    /// The result as a stream of rows, whatever their shape.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// # registry.create(&twin_service::Identity::new(twin_service::TwinKey::device("a")?)).await?;
    /// let mut rows = registry.query("SELECT COUNT() AS n FROM devices").rows();
    /// assert_eq!(rows.next().await.unwrap()?["n"], 1);
    /// # hub.close().await
    /// # }
    /// ```
    pub fn rows(self) -> Rows<Value> {
        Rows::new(self.pages(), Page::typed_rows)
    }

    /// The result as a stream of your own type.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> twin_service::Result<()> {
    /// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
    /// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
    /// # registry.create(&twin_service::Identity::new(twin_service::TwinKey::device("a")?)).await?;
    /// #[derive(serde::Deserialize)]
    /// #[serde(rename_all = "camelCase")]
    /// struct Row {
    ///     device_id: String,
    /// }
    ///
    /// let mut rows = registry.query("SELECT deviceId FROM devices").rows_as::<Row>();
    /// assert_eq!(rows.next().await.unwrap()?.device_id, "a");
    /// # hub.close().await
    /// # }
    /// ```
    pub fn rows_as<T: DeserializeOwned + Send + 'static>(self) -> Rows<T> {
        Rows::new(self.pages(), Page::typed_rows)
    }
}

/// The pages of a query's result, in order. Examples are at [`Registry::query`] and [`Query::resume_from`].
#[derive(Clone, Debug)]
pub struct Pages {
    query: Query,
    state: State,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Start,
    More(String),
    End,
}

impl Pages {
    /// Whether [`Pages::next_page`] may give another page. Before the first page: true.
    pub fn has_more(&self) -> bool {
        self.state != State::End
    }

    /// The next page; `None` after the last one. A page may be empty although more follow.
    ///
    /// After an error, and when the future was dropped, the same page is asked for again.
    pub async fn next_page(&mut self) -> Result<Option<Page>> {
        let sent = match &self.state {
            State::Start => None,
            State::More(token) => Some(token.clone()),
            State::End => return Ok(None),
        };
        let what = || format!("query '{}'", self.query.text);
        if let Some(size) = self.query.page_size.filter(|n| !(1..=MAX_PAGE_SIZE).contains(n)) {
            return Err(Error::invalid(format!(
                "a page cannot have {size} rows; 1 to {MAX_PAGE_SIZE} can be asked for"
            )));
        }
        let call = Call::Query {
            text: self.query.text.clone(),
            page_size: self.query.page_size,
            continuation: sent.clone(),
        };
        let (rows, twins, continuation) = match self.query.registry.call(what, call).await? {
            Answer::Page { rows, twins, continuation } => (rows, twins, continuation),
            Answer::Json { body, .. } => (body, false, None),
            Answer::Nothing | Answer::BulkFailure { .. } => return Err(no_document().context(what())),
        };
        let page = Page::parse(&rows, twins).map_err(|e| e.context(what()))?;
        // An empty token ends the result: sent back, it would start it anew for ever.
        let continuation = continuation.filter(|token| !token.is_empty());
        if page.is_empty() && continuation.is_some() && continuation == sent {
            return Err(Error::new(
                ErrorKind::Protocol,
                "the hub answered no rows and the continuation token it was sent: the result would never end",
            )
            .with_delivery(Delivery::Unknown)
            .context(what()));
        }
        self.state = continuation.map_or(State::End, State::More);
        Ok(Some(page))
    }

    /// The token to keep for [`Query::resume_from`]; `None` before the first page and after the last.
    pub fn continuation(&self) -> Option<&str> {
        match &self.state {
            State::More(token) => Some(token),
            State::Start | State::End => None,
        }
    }
}

/// One page of a query's result: as twins, as JSON, or as your own type.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> twin_service::Result<()> {
/// # let hub = twin_hub::Hub::builder().listen("127.0.0.1:0".parse().unwrap()).ephemeral().start().await?;
/// # let registry = twin_service::Registry::builder(hub.connection_string()).trust_pem(hub.ca_pem()).build()?;
/// # registry.create(&twin_service::Identity::new(twin_service::TwinKey::device("a")?)).await?;
/// let page = registry.query("SELECT * FROM devices").pages().next_page().await?.unwrap();
/// assert!(page.has_twins() && page.len() == 1);
/// assert_eq!(page.twins()?[0].device_id.as_str(), "a");
/// assert_eq!(page.rows()?[0]["deviceId"], "a");
/// # hub.close().await
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Page {
    rows: Vec<Box<RawValue>>,
    has_twins: bool,
}

impl Page {
    fn parse(rows: &Bytes, has_twins: bool) -> Result<Page> {
        Ok(Page { rows: parse(rows)?, has_twins })
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether the hub says that the rows are whole twins.
    pub fn has_twins(&self) -> bool {
        self.has_twins
    }

    /// The rows as twins. An error says which row is none, and why.
    pub fn twins(&self) -> Result<Vec<Twin>> {
        self.twin_rows().into_iter().collect()
    }

    /// The rows as JSON.
    pub fn rows(&self) -> Result<Vec<Value>> {
        self.rows_as()
    }

    /// The rows as your own type. An error says which row does not fit, and why.
    pub fn rows_as<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        self.typed_rows().into_iter().collect()
    }

    fn twin_rows(&self) -> Vec<Result<Twin>> {
        let twin = |row: Result<Value>| row.and_then(|v| Twin::from_json(v).map_err(|e| not_a("twin", e)));
        self.typed_rows().into_iter().map(twin).collect()
    }

    fn typed_rows<T: DeserializeOwned>(&self) -> Vec<Result<T>> {
        let row = |(i, row): (usize, &RawValue)| {
            serde_json::from_str(row.get()).map_err(|e| {
                Error::new(
                    ErrorKind::InvalidArgument,
                    format!("row {} of the page does not fit the type asked for: {e}", i + 1),
                )
            })
        };
        self.rows.iter().map(|row| &**row).enumerate().map(row).collect()
    }
}
