//! Addresses that try to lead into a private network, in front of a server that must never hear of them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, Method};
use mfh_outbound::{Client, Limits, Lookup, Request, SendError, UserUrl};
use tokio::net::TcpListener;

const LIMITS: Limits = Limits {
    connect: Duration::from_millis(500),
    total: Duration::from_secs(1),
    answer: 1_000,
};

/// Listens on one port of both loopback addresses and counts who comes.
struct Canary {
    port: u16,
    visits: Arc<AtomicUsize>,
}

impl Canary {
    async fn start() -> Self {
        let visits = Arc::new(AtomicUsize::new(0));
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = v4.local_addr().unwrap().port();
        // Machines without IPv6 have one door less to watch.
        let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok();
        for listener in [Some(v4), v6].into_iter().flatten() {
            let visits = Arc::clone(&visits);
            tokio::spawn(async move {
                while listener.accept().await.is_ok() {
                    visits.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        Self { port, visits }
    }

    fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

/// Names with what they stand for, one answer after the other; the last stays.
#[derive(Debug, Default)]
struct Names(Mutex<HashMap<String, Vec<Vec<IpAddr>>>>);

impl Names {
    fn with(self, name: &str, answers: &[&[&str]]) -> Self {
        let answers = answers
            .iter()
            .map(|answer| answer.iter().map(|address| address.parse().unwrap()).collect())
            .collect();
        self.0.lock().unwrap().insert(name.to_owned(), answers);
        self
    }
}

#[async_trait]
impl Lookup for Names {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let mut names = self.0.lock().unwrap();
        let answers = names
            .get_mut(name)
            .ok_or_else(|| io::Error::other(format!("{name} was looked up")))?;
        Ok(if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0].clone()
        })
    }
}

async fn call(names: Names, url: UserUrl) -> SendError {
    let client = Client::with_lookup("test", LIMITS, Arc::new(names)).unwrap();
    let request = Request {
        method: Method::POST,
        url,
        headers: HeaderMap::new(),
        body: b"{}".to_vec(),
    };
    client.send(request).await.unwrap_err()
}

/// `{port}` is the canary's.
const HOSTILE: &[&str] = &[
    // Loopback in every spelling.
    "https://127.0.0.1:{port}/",
    "https://127.1:{port}/",
    "https://127.0.1:{port}/",
    "https://127.255.255.254:{port}/",
    "https://2130706433:{port}/",
    "https://0x7f000001:{port}/",
    "https://0x7F.0.0.1:{port}/",
    "https://0x7f.1:{port}/",
    "https://017700000001:{port}/",
    "https://0177.0.0.01:{port}/",
    "https://0177.0x0.0.1:{port}/",
    "https://127.0.0.1.:{port}/",
    "https://%31%32%37.0.0.1:{port}/",
    "https://１２７.０.０.１:{port}/",
    "https://127。0。0。1:{port}/",
    "https://①②⑦.⓪.⓪.①:{port}/",
    "https://0:{port}/",
    "https://0.0.0.0:{port}/",
    "https://[::1]:{port}/",
    "https://[0:0:0:0:0:0:0:1]:{port}/",
    "https://[::]:{port}/",
    "https://[::ffff:127.0.0.1]:{port}/",
    "https://[::ffff:7f00:1]:{port}/",
    "https://[::127.0.0.1]:{port}/",
    "https://[64:ff9b::7f00:1]:{port}/",
    "https://[64:ff9b:1::7f00:1]:{port}/",
    "https://[2002:7f00:1::1]:{port}/",
    "https://[2001:0:7f00:1::1]:{port}/",
    // Names of this machine and of private networks.
    "https://localhost:{port}/",
    "https://LOCALHOST:{port}/",
    "https://localhost.:{port}/",
    "https://localhost..:{port}/",
    "https://ｌｏｃａｌｈｏｓｔ:{port}/",
    "https://crm.localhost:{port}/",
    "https://crm.localhost.:{port}/",
    "https://printer.local:{port}/",
    "https://db.internal:{port}/",
    "https://DB.INTERNAL.:{port}/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://nas.home.arpa:{port}/",
    "https://home.arpa:{port}/",
    "https://intranet:{port}/",
    "https://kubernetes:{port}/",
    "https://a..example.com:{port}/",
    "https://.example.com:{port}/",
    // Private and special networks.
    "https://10.0.0.1:{port}/",
    "https://10.255.255.255:{port}/",
    "https://172.16.0.1:{port}/",
    "https://172.31.255.255:{port}/",
    "https://192.168.1.1:{port}/",
    "https://100.64.0.1:{port}/",
    "https://100.100.100.200/latest/meta-data/",
    "https://169.254.169.254/latest/meta-data/",
    "https://169.254.170.2/v2/credentials",
    "https://[::ffff:169.254.169.254]/latest/meta-data/",
    "https://0xa9fea9fe/latest/meta-data/",
    "https://2852039166/latest/meta-data/",
    "https://168.63.129.16/machine",
    "https://192.0.0.192/opc/v2/instance/",
    "https://[fd00:ec2::254]/latest/meta-data/",
    "https://192.0.2.1:{port}/",
    "https://198.18.0.1:{port}/",
    "https://198.51.100.1:{port}/",
    "https://203.0.113.1:{port}/",
    "https://224.0.0.1:{port}/",
    "https://239.255.255.250:{port}/",
    "https://240.0.0.1:{port}/",
    "https://255.255.255.255:{port}/",
    "https://[fc00::1]:{port}/",
    "https://[fe80::1]:{port}/",
    "https://[fe80::1%25lo]:{port}/",
    "https://[fec0::1]:{port}/",
    "https://[ff02::1]:{port}/",
    "https://[2001:db8::1]:{port}/",
    "https://[100::1]:{port}/",
    // What is not plain https.
    "http://hooks.example.com:{port}/",
    "ftp://hooks.example.com:{port}/",
    "gopher://127.0.0.1:{port}/_x",
    "file:///etc/passwd",
    "data:text/plain,x",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "https:127.0.0.1:{port}",
    "https:\\\\127.0.0.1:{port}\\",
    "https://hooks.example.com@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}@hooks.example.com/",
    "https://user:secret@hooks.example.com:{port}/",
    "https://hooks.example.com\\@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}#@hooks.example.com/",
    "https://hooks.example.com:{port}/#fragment",
    "https://127.0.0.1\t:{port}/",
    "https://local\nhost:{port}/",
    "https://hooks.example.com /",
    // Ports of other services.
    "https://hooks.example.com:22/",
    "https://hooks.example.com:25/",
    "https://hooks.example.com:80/",
    "https://hooks.example.com:0/",
    "https://hooks.example.com:1023/",
    "https://hooks.example.com:65536/",
];

#[tokio::test]
async fn hostile_addresses_are_refused_before_any_packet() {
    let canary = Canary::start().await;
    assert!(HOSTILE.len() >= 60);
    for template in HOSTILE {
        let address = template.replace("{port}", &canary.port.to_string());
        if let Ok(url) = UserUrl::parse(&address) {
            let reached = call(Names::default(), url).await;
            panic!("{address} was taken, and ended with: {reached}");
        }
    }
    assert_eq!(canary.visits(), 0);
}

#[tokio::test]
async fn names_that_stand_for_private_addresses_are_refused_when_connecting() {
    let canary = Canary::start().await;
    for (name, addresses) in [
        ("v4.example.com", &["127.0.0.1"][..]),
        ("v6.example.com", &["::1"]),
        ("both.example.com", &["127.0.0.1", "::1"]),
        ("mapped.example.com", &["::ffff:127.0.0.1"]),
        ("compatible.example.com", &["::127.0.0.1"]),
        ("any.example.com", &["0.0.0.0", "::"]),
        ("private.example.com", &["10.0.0.1", "172.16.0.1", "192.168.0.1"]),
        ("metadata.example.com", &["169.254.169.254", "fd00:ec2::254"]),
        ("nat64.example.com", &["64:ff9b::7f00:1"]),
        ("6to4.example.com", &["2002:7f00:1::"]),
        ("nobody.example.com", &[]),
        // Digits behind a name are a name: who owns the zone decides what it stands for.
        ("127.0.0.1.nip.example.com", &["127.0.0.1"]),
    ] {
        let url = UserUrl::parse(&format!("https://{name}:{}/", canary.port)).unwrap();
        let names = Names::default().with(name, &[addresses]);
        assert_eq!(call(names, url).await, SendError::NotPublic, "{name}");
    }
    assert_eq!(canary.visits(), 0);
}

#[tokio::test]
async fn a_name_that_changes_what_it_stands_for_gains_nothing() {
    let canary = Canary::start().await;
    let url = UserUrl::parse(&format!("https://rebind.example.com:{}/", canary.port)).unwrap();
    // Whatever an earlier look-up would have said, only the addresses of the one that is connected count.
    let names = Names::default().with("rebind.example.com", &[&["127.0.0.1"], &["93.184.216.34"]]);
    assert_eq!(call(names, url.clone()).await, SendError::NotPublic);
    // The private one of two is left out; the public one cannot be reached on that port.
    let names = Names::default().with("rebind.example.com", &[&["127.0.0.1", "192.88.98.1"]]);
    let error = call(names, url).await;
    assert!(
        error == SendError::NotConnected || error == SendError::TimedOut,
        "{error}"
    );
    assert_eq!(canary.visits(), 0);
}

#[tokio::test]
async fn the_guard_connects_what_it_checked() {
    // The very same requests reach the canary without the guard: what refuses them is the guard.
    let canary = Canary::start().await;
    let address = format!("https://127.0.0.1:{}/", canary.port);
    assert!(
        reqwest::Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .get(address)
            .timeout(LIMITS.total)
            .send()
            .await
            .is_err()
    );
    assert_eq!(canary.visits(), 1);
}

#[test]
fn public_addresses_pass() {
    for good in [
        "https://hooks.example.com",
        "https://hooks.example.com/a/b?c=d",
        " https://hooks.example.com ",
        "https://HOOKS.Example.COM/",
        "https://hooks.example.com.",
        "https://hooks.example.com:443/",
        "https://hooks.example.com:8443/",
        "https://hooks.example:65535/",
        "https://acme.api-us1.com/api/3",
        "https://acme.activehosted.com",
        "https://müller.example.de/straße",
        "https://xn--mller-kva.example.de/",
        "https://例え.テスト/",
        "https://localhost.example.com/",
        "https://local.example.com/",
        "https://internal.example.com/",
        "https://mylocal.dev/",
        "https://8.8.8.8/",
        "https://1.1.1.1:8443/",
        "https://[2606:4700:4700::1111]/",
        "https://10.example.com/",
        "https://hooks.zapier.com/hooks/catch/1/abc/",
        "https://a-b.c-d.example.com/_under_score/%20",
    ] {
        let url = UserUrl::parse(good);
        assert!(url.is_ok(), "{good}: {url:?}");
    }
}
