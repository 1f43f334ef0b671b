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

#[tokio::test]
async fn an_answer_that_stands_still_on_a_line_that_lives_is_dropped() {
    let folder = Folder::new("still");
    let mut config = Config::loopback(folder.path());
    config.tls = Some(Tls { certificate: file("certificate.pem"), key: file("key.pem") });
    let limits = &mut config.limits;
    (limits.answer_bytes, limits.write_s) = (1 << 20, 1);
    (limits.door_rate, limits.door_burst) = (1_000, 1_000);
    let hub = Hub::start(config).await.unwrap();
    let slot = "https://hub.test/v1/mailbox/000102030405060708090a0b0c0d0e0f/3";
    let stream = TokioIo::new(connect(&hub, b"h2").await);
    // What comes without being taken is less than the answer.
    let mut http = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    http.initial_stream_window_size(8 << 10);
    let (mut sender, line) = http.handshake(stream).await.unwrap();
    tokio::spawn(line);
    let message = Request::put(slot).body(Full::new(Bytes::from(vec![7; 1 << 20]))).unwrap();
    assert_eq!(sender.send_request(message).await.unwrap().status(), 204);

    let get = || Request::get(slot).body(Full::new(Bytes::new())).unwrap();
    let still = sender.send_request(get()).await.unwrap();
    assert_eq!(still.status(), 200);
    assert_eq!(sender.send_request(get()).await.unwrap().status(), 429, "no room beside it");
    let again = async {
        loop {
            let answer = sender.send_request(get()).await.unwrap();
            if answer.status() == 200 {
                return answer.into_body().collect().await.unwrap().to_bytes();
            }
            tokio::task::yield_now().await;
        }
    };
    // Room came back on the very same line, and the first answer is over.
    let taken = tokio::time::timeout(Duration::from_secs(20), again).await.expect("room again");
    assert_eq!(taken, vec![7; 1 << 20]);
    assert!(still.into_body().collect().await.is_err());
    hub.stop().await;
}
