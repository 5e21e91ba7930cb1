//! The server's certificate: read at the start, and again whenever the operator says so. Must never
//! end a server that works because a new file is not right.

use std::future::pending;
use std::sync::Arc;

use anyhow::Context;
use tidings_net::{Tls, TlsFiles};

use crate::config::Config;

/// What TLS connections begin with, if there is a certificate.
///
/// # Errors
/// A file is not there or not right.
pub(crate) fn load(config: &Config) -> anyhow::Result<Option<Arc<Tls>>> {
    let tls = &config.tls;
    let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) else { return Ok(None) };
    let files = TlsFiles {
        certificate: certificate.clone(),
        key: key.clone(),
        client_ca: tls.client_ca.clone(),
        is_client_certificate_required: tls.is_client_certificate_required,
    };
    Ok(Some(Arc::new(Tls::load(files).context("no TLS")?)))
}

/// Reads the files again on each SIGHUP. Without TLS the signal ends the process, as it does any.
///
/// # Errors
/// The system does not tell of signals.
#[cfg(unix)]
pub(crate) fn reloading(tls: Option<Arc<Tls>>) -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let told = tls.map(|tls| signal(SignalKind::hangup()).map(|told| (tls, told))).transpose()?;
    Ok(async {
        let Some((tls, mut told)) = told else { return pending().await };
        while told.recv().await.is_some() {
            match tls.reload() {
                Ok(()) => tracing::info!("certificates read again, for connections from now on"),
                Err(error) => tracing::error!("{error}; the certificates before remain in use"),
            }
        }
        pending::<()>().await;
    })
}

/// Where there is no such signal, new certificates come with a new start.
#[cfg(windows)]
pub(crate) fn reloading(_: Option<Arc<Tls>>) -> std::io::Result<impl Future<Output = ()>> {
    Ok(pending())
}
