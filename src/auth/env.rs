//! The environment variables that configure a client.

use std::ffi::OsString;

use zeroize::Zeroize;

use super::ApiKey;

/// The settings of a client that the environment holds. Empty variables count as unset.
#[derive(Default)]
pub(crate) struct EnvConfig {
    /// `ANTHROPIC_API_KEY`
    pub(crate) api_key: Option<ApiKey>,
    /// `ANTHROPIC_AUTH_TOKEN`
    pub(crate) auth_token: Option<ApiKey>,
    /// `ANTHROPIC_BASE_URL`
    pub(crate) base_url: Option<String>,
    /// `ANTHROPIC_CUSTOM_HEADERS`, line by line.
    pub(crate) headers: Vec<(String, String)>,
    /// A variable for a way of signing in that this crate doesn't support.
    pub(crate) unsupported: Option<&'static str>,
}

/// Variables for ways of signing in that the official SDKs support and this crate doesn't.
const UNSUPPORTED: [&str; 2] = ["ANTHROPIC_PROFILE", "ANTHROPIC_FEDERATION_RULE_ID"];

impl EnvConfig {
    /// Reads the variables of this process. Fails with a message if one is malformed.
    pub(crate) fn from_env() -> Result<Self, String> {
        Self::read(|name| std::env::var_os(name))
    }

    /// Reads variables from `lookup`.
    pub(crate) fn read(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, String> {
        let variable = |name: &str| match lookup(name).filter(|value| !value.is_empty()) {
            Some(value) => match value.into_string() {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(format!("the environment variable {name} is not UTF-8")),
            },
            None => Ok(None),
        };
        let key = |name: &str| Ok::<_, String>(variable(name)?.map(ApiKey::from));
        Ok(Self {
            api_key: key("ANTHROPIC_API_KEY")?,
            auth_token: key("ANTHROPIC_AUTH_TOKEN")?,
            base_url: variable("ANTHROPIC_BASE_URL")?,
            headers: match variable("ANTHROPIC_CUSTOM_HEADERS")? {
                Some(mut lines) => {
                    let headers = custom_headers(&lines);
                    lines.zeroize();
                    headers?
                }
                None => Vec::new(),
            },
            unsupported: UNSUPPORTED.into_iter().find(|name| lookup(name).is_some_and(|value| !value.is_empty())),
        })
    }
}

/// Reads one `name: value` per line. Empty lines are skipped.
fn custom_headers(lines: &str) -> Result<Vec<(String, String)>, String> {
    let header = |(index, line): (usize, &str)| match line.split_once(':') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => {
            Err(format!("line {} of the environment variable ANTHROPIC_CUSTOM_HEADERS is not `name: value`", index + 1))
        }
    };
    lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(header).collect()
}
