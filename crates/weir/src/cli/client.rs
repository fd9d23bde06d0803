//! Asks a running Weir over HTTP, and shows its refusals the way a person can act on them.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;
use weir_api::Problem;
use weir_api::problem::Document;

use super::text::visible;

/// Largest answer that is read into memory.
const ANSWER_MAX: u64 = 1 << 30;

/// What helps with a filter that is wrong in an unknown way, on the command line.
const FILTER_HELP: &str =
    "`weir query --help` has examples; docs/query.md describes columns, operators and values";

/// Which Weir to ask, and as whom.
#[derive(Debug, Clone, clap::Args)]
pub struct Server {
    /// The Weir to ask
    #[arg(long, value_name = "URL", env = "WEIR_SERVER", default_value = "http://127.0.0.1:8008")]
    server: String,
    /// File that holds the token; else the environment variable WEIR_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// The server's refusal, with the question it refused.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.explain())]
pub struct Refusal {
    problem: Problem,
    filter: String,
}

impl Refusal {
    /// A refusal of a question whose filter was `filter`.
    pub fn new(problem: Problem, filter: &str) -> Refusal {
        Refusal { problem, filter: filter.to_owned() }
    }

    /// True when the same question may be answered later: the server is busy, or not well.
    pub fn is_passing(&self) -> bool {
        self.problem.status == 429 || self.problem.status >= 500
    }

    fn explain(&self) -> String {
        let Document { title, detail, field, offset, length, remedy, .. } = &*self.problem;
        let mut text = visible(detail.as_deref().unwrap_or(title));
        if let (Some("filter"), Some(offset)) = (field.as_deref(), offset) {
            let caret = "^".repeat(length.unwrap_or(1).max(1));
            // Why: escapes would move the caret; one character stays one column.
            let shown: String =
                self.filter.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            text.push_str(&format!("\n  {shown}\n  {}{caret}", " ".repeat(*offset)));
        } else if let Some(field) = field {
            text = format!("{}: {text}", visible(field));
        }
        // Why: a request is no help to who types at a terminal.
        let shown = remedy.as_deref().map(|remedy| match remedy {
            weir_api::FILTER_REMEDY => FILTER_HELP,
            remedy => remedy,
        });
        if let Some(remedy) = shown {
            text.push_str(&format!("\n{}", visible(remedy)));
        }
        text
    }
}

impl Server {
    /// The Weir at `server`.
    pub fn new(server: String, token_file: Option<PathBuf>) -> Server {
        Server { server, token_file }
    }

    /// Its address, as it was given.
    pub fn address(&self) -> &str {
        &self.server
    }

    /// True when something answers there the way a running Weir does. Waits for a second at most.
    pub fn is_there(&self) -> bool {
        let Ok(url) = self.url("/livez") else { return false };
        let answer = Server::agent(Some(Duration::from_secs(1))).get(&url).call();
        answer.is_ok_and(|response| response.status().is_success())
    }

    /// Asks for something small, to see whether this asker is admitted.
    pub fn ask_nothing(&self) -> anyhow::Result<()> {
        self.stream("/api/v1/health", &[], "").map(drop)
    }

    fn token(&self) -> anyhow::Result<Option<String>> {
        let text = match &self.token_file {
            Some(path) => Some(
                std::fs::read_to_string(path)
                    .with_context(|| format!("reading the token file {}", path.display()))?,
            ),
            None => std::env::var("WEIR_TOKEN").ok(),
        };
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    fn agent(time_max: Option<Duration>) -> ureq::Agent {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_global(time_max)
            .max_redirects(0)
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            .build();
        config.into()
    }

    /// Posts `question` to `path` and returns the body of the answer. `filter` is what a refusal
    /// may point into.
    pub fn ask(
        &self,
        path: &str,
        question: &impl Serialize,
        filter: &str,
    ) -> anyhow::Result<Vec<u8>> {
        let url = self.url(path)?;
        let mut request = Server::agent(Some(Duration::from_secs(600))).post(&url);
        if let Some(token) = self.token()? {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let response = request.send_json(question).with_context(|| self.unreachable())?;
        let status = response.status();
        let mut body = Vec::new();
        let mut reader = response.into_body().into_reader().take(ANSWER_MAX);
        reader.read_to_end(&mut body).with_context(|| format!("reading the answer of {url}"))?;
        if status.is_success() {
            return Ok(body);
        }
        self.refuse(status.as_u16(), &body, filter)
    }

    /// Opens a stream of events with `parameters`.
    pub fn stream(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        filter: &str,
    ) -> anyhow::Result<impl Read + use<>> {
        let url = self.url(path)?;
        let mut request = Server::agent(None).get(&url);
        for (name, value) in parameters {
            request = request.query(name, value);
        }
        if let Some(token) = self.token()? {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let response = request.call().with_context(|| self.unreachable())?;
        let status = response.status();
        let mut reader = response.into_body().into_reader();
        if status.is_success() {
            return Ok(reader);
        }
        let mut body = Vec::new();
        reader.by_ref().take(1 << 16).read_to_end(&mut body)?;
        self.refuse(status.as_u16(), &body, filter)
    }

    fn url(&self, path: &str) -> anyhow::Result<String> {
        // Limit: TLS is left to a proxy in front of Weir; a tunnel or the proxy's own port is asked.
        if !self.server.starts_with("http://") {
            bail!("--server {}: expected http://HOST:PORT", self.server);
        }
        Ok(format!("{}{path}", self.server.trim_end_matches('/')))
    }

    fn unreachable(&self) -> String {
        format!("asking {} (is `weir serve` running there? --server names another)", self.server)
    }

    fn refuse<T>(&self, status: u16, body: &[u8], filter: &str) -> anyhow::Result<T> {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => Err(Refusal::new(problem, filter).into()),
            Err(_) => bail!("{} answered with status {status}, not as Weir does", self.server),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_api::problem::Kind;

    #[test]
    fn the_caret_stands_under_the_character() {
        let filter = "é = 1 and\tsorc_addr = ::1";
        let problem = Problem::new(Kind::BadFilter, "unknown column `sorc_addr`")
            .field("filter")
            .at(10, 9)
            .remedy("did you mean `src_addr`?");
        assert_eq!(
            Refusal::new(problem, filter).to_string(),
            "unknown column `sorc_addr`\n  \
             é = 1 and sorc_addr = ::1\n  \
             \u{20}         ^^^^^^^^^\n\
             did you mean `src_addr`?"
        );
    }

    #[test]
    fn other_refusals_name_their_field() {
        let problem = Problem::new(Kind::BadRequest, "`1x` is no span").field("bucket");
        assert_eq!(Refusal::new(problem, "").to_string(), "bucket: `1x` is no span");
    }
}
