//! What a `postgres://` URL says: where the server is, how to speak to it, and which schema the store lives in.

use super::tls::{Trust, Verify};
use crate::error::{Error, Result};
use std::str::FromStr as _;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

/// Where a store lives. Never printed: it holds the password.
pub(super) struct Address {
    pub(super) config: Config,
    /// The schema that holds the tables; the first of the search path when none was given.
    pub(super) schema: Option<String>,
    pub(super) trust: Trust,
}

impl Address {
    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE?schema=…&sslmode=…` and libpq's other parameters.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, naming the parameter, never its value.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
        let mut schema = None;
        let mut mode = "prefer".to_owned();
        let mut roots = None;
        let mut others = Vec::new();
        for pair in parameters.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "schema" => schema = Some(decoded(value)?),
                "sslmode" => mode = decoded(value)?,
                "sslrootcert" => roots = Some(decoded(value)?),
                _ => others.push(pair),
            }
        }
        if schema.as_deref().is_some_and(|name| name.is_empty() || name.len() > 63 || name.contains('\0')) {
            return Err(Error::invalid("url", "the schema is no name that PostgreSQL allows"));
        }
        let rest = if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) };
        let mut config = Config::from_str(&rest).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            Error::invalid("url", format!("expected postgres://USER:PASSWORD@HOST:PORT/DATABASE; {cause}"))
        })?;
        let (ssl, verify) = match mode.as_str() {
            "disable" => (SslMode::Disable, Verify::Nothing),
            "allow" | "prefer" => (SslMode::Prefer, Verify::Nothing),
            // As libpq: who names the authorities wants them to be asked.
            "require" if roots.is_some() => (SslMode::Require, Verify::Authority),
            "require" => (SslMode::Require, Verify::Nothing),
            "verify-ca" => (SslMode::Require, Verify::Authority),
            "verify-full" => (SslMode::Require, Verify::Full),
            _ => {
                let expected = "sslmode: expected disable, allow, prefer, require, verify-ca or verify-full";
                return Err(Error::invalid("url", expected));
            }
        };
        config.ssl_mode(ssl);
        if config.get_application_name().is_none() {
            config.application_name("swarmstore");
        }
        Ok(Address { config, schema, trust: Trust { verify, roots } })
    }
}

/// Undoes the URL's `%` encoding.
fn decoded(text: &str) -> Result<String> {
    let refused = || Error::invalid("url", "a parameter is wrongly encoded");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).ok_or_else(refused)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| refused())?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::Address;
    use crate::ErrorCode;
    use crate::backend::postgres::tls::Verify;
    use tokio_postgres::config::SslMode;

    #[test]
    fn a_url_names_the_server_the_schema_and_the_trust() {
        let address = Address::parse("postgres://me:s3cret@db:5433/app?schema=my%20swarm&sslmode=verify-full").unwrap();
        assert_eq!((address.config.get_user(), address.config.get_dbname()), (Some("me"), Some("app")));
        assert_eq!((address.config.get_ports(), address.schema.as_deref()), ([5433].as_slice(), Some("my swarm")));
        assert_eq!((address.config.get_ssl_mode(), address.trust.verify), (SslMode::Require, Verify::Full));
        let plain = Address::parse("postgresql://db/app").unwrap();
        assert_eq!((plain.config.get_ssl_mode(), plain.schema), (SslMode::Prefer, None));
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_the_password_is_not_told() {
        for url in [
            "postgres://me:s3cret@db:port/app",
            "postgres://me:s3cret@db/app?sslmode=s3cret",
            "postgres://me:s3cret@db/app?schema=",
            "postgres://me:s3cret@db/app?schema=%zz",
            "postgres://me:s3cret@db/app?unheard=s3cret",
            "postgres://me:s3cret@db/app?connect_timeout=s3cret",
        ] {
            let error = Address::parse(url).err().expect("a refusal");
            assert_eq!(error.code(), ErrorCode::InvalidArgument);
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
    }
}
