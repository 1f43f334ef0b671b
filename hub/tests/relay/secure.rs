//! TLS, with HTTP/1.1 and HTTP/2 over it. Certificate and key beside this file protect nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tuquan_hub::Hub;
use tuquan_hub::config::{Config, Tls};
use tuquan_tests::phone::Folder;

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/relay/tls").join(name)
}

async fn connect(hub: &Hub, protocol: &[u8]) -> TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("certificate.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(hub.address()).await.unwrap();
    let name = "hub.test".try_into().unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls_and_silence_is_sent_away() {
    let folder = Folder::new("tls");
    let mut config = Config::loopback(folder.path());
    config.tls = Some(Tls { certificate: file("certificate.pem"), key: file("key.pem") });
    config.limits.header_s = 1;
    let hub = Hub::start(config).await.unwrap();
    let request = || {
        let request = Request::get("https://hub.test/healthz").header("host", "hub.test");
        request.body(Full::new(Bytes::new())).unwrap()
    };

    let stream = TokioIo::new(connect(&hub, b"h2").await);
    let (mut sender, line) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(line);
    let answer = sender.send_request(request()).await.unwrap();
    assert_eq!(
        (answer.status(), answer.version()),
        (200.try_into().unwrap(), hyper::Version::HTTP_2)
    );
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "{\"status\":\"ok\"}");

    let stream = TokioIo::new(connect(&hub, b"http/1.1").await);
    let (mut sender, line) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(line);
    assert_eq!(sender.send_request(request()).await.unwrap().status(), 200);

    // Who never says a word after the handshake, or before it, does not stay.
    let mut rest = Vec::new();
    let mut silent = connect(&hub, b"h2").await;
    let mut mute = TcpStream::connect(hub.address()).await.unwrap();
    let gone = async {
        let _ = silent.read_to_end(&mut rest).await;
        let _ = mute.read_to_end(&mut rest).await;
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("sent away");
    hub.stop().await;
}

#[tokio::test]
async fn files_that_are_no_certificate_are_refused_at_the_start() {
    let folder = Folder::new("tls-bad");
    let mut config = Config::loopback(folder.path());
    config.tls = Some(Tls { certificate: file("key.pem"), key: file("certificate.pem") });
    let refused = Hub::start(config).await.unwrap_err();
    assert_eq!(refused.kind, tuquan_core::error::Kind::Invalid);
}
