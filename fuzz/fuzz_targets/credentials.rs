//! Files with credentials, on whichever side they are: certificates, keys, tokens.
#![no_main]

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use maelstrom::program::broker::security::SecurityOptions;
use maelstrom_cluster::broker::services;
use maelstrom_cluster::security::authority::CertificateAuthority;
use maelstrom_cluster::security::guard;
use maelstrom_cluster::security::roles::ClusterRole;
use maelstrom_cluster::security::tokens::TokenFile;
use maelstrom_fuzz::{Parts, block_on, file, scratch};
use maelstrom_model::error::help_of;
use maelstrom_spec::config::Address;
use maelstrom_wire::connection::{ClientSecurity, connect_later};
use tonic::metadata::MetadataMap;

/// Sound files: the authority's certificate and key, a member's, and that certificate without PEM.
struct Sound {
    authority: (Vec<u8>, Vec<u8>),
    member: (Vec<u8>, Vec<u8>),
    der: Vec<u8>,
}

static SOUND: LazyLock<Sound> = LazyLock::new(|| {
    let directory = scratch("authority");
    let authority = CertificateAuthority::create(&directory).expect("an authority can be made");
    let (certificate, key) = authority
        .member(ClusterRole::Client, "member")
        .expect("a member can be made");
    let read = |path: PathBuf| std::fs::read(path).expect("a file can be read");
    let member = (read(certificate), read(key));
    let text = String::from_utf8_lossy(&member.0);
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    Sound {
        authority: (
            read(directory.join("ca.pem")),
            read(directory.join("ca.key")),
        ),
        der: base64(&body),
        member,
    }
});

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    match parts.byte() % 7 {
        0 | 1 => certificate(parts),
        2 => authority(parts),
        3 | 4 => block_on(client(parts)),
        5 => broker(parts),
        _ => tokens(parts),
    }
});

/// What base64 stands for; what is no letter of it is passed over.
fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let values = text
        .bytes()
        .filter_map(|byte| LETTERS.iter().position(|letter| *letter == byte));
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_usize, 0);
    for value in values {
        held = (held << 6 | value) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    bytes
}

/// Sound bytes with others in some places, or others altogether.
fn mutated(sound: &[u8], parts: &mut Parts<'_>) -> Vec<u8> {
    let mut bytes = match parts.byte() % 4 {
        0 => return parts.part().to_vec(),
        1 => [sound, parts.part()].concat(),
        2 => [parts.part(), sound].concat(),
        _ => sound.to_vec(),
    };
    for _ in 0..parts.byte() % 8 {
        let place = usize::from(u16::from_le_bytes([parts.byte(), parts.byte()]));
        let start = place.min(bytes.len());
        let end = (start + usize::from(parts.byte() % 16)).min(bytes.len());
        let new = parts.byte();
        bytes.splice(start..end, (0..new % 16).map(|_| parts.byte()));
    }
    bytes
}

fn certificate(mut parts: Parts<'_>) {
    match guard::identity(&mutated(&SOUND.der, &mut parts)) {
        Ok(identity) => drop(format!("{identity:?}")),
        Err(status) => assert_eq!(status.code(), tonic::Code::Unauthenticated),
    }
}

fn authority(mut parts: Parts<'_>) {
    let directory = scratch("members");
    drop(std::fs::remove_dir_all(&directory));
    std::fs::create_dir_all(&directory).expect("a directory can be made");
    let write = |name: &str, content: Vec<u8>| {
        std::fs::write(directory.join(name), content).expect("a file can be written");
    };
    write("ca.pem", mutated(&SOUND.authority.0, &mut parts));
    write("ca.key", mutated(&SOUND.authority.1, &mut parts));
    match CertificateAuthority::open(&directory).member(ClusterRole::Worker, "member") {
        Ok(paths) => drop(paths),
        Err(error) => drop(error.to_string()),
    }
}

async fn client(mut parts: Parts<'_>) {
    let kinds = parts.byte();
    let authority = file("ca.pem", &mutated(&SOUND.authority.0, &mut parts));
    let certificate = file("member.pem", &mutated(&SOUND.member.0, &mut parts));
    let key = file("member.key", &mutated(&SOUND.member.1, &mut parts));
    let token = file("token", parts.0);
    let security = ClientSecurity {
        authority: (kinds & 1 == 0).then_some(authority),
        certificate: (kinds & 2 == 0).then_some((certificate, key)),
        token: (kinds & 4 == 0).then_some(token),
    };
    let address = Address {
        host: "localhost".to_owned(),
        port: 1,
    };
    match connect_later(&address, &security) {
        Ok(connection) => drop(connection.service()),
        Err(error) => drop((error.to_string(), help_of(&error))),
    }
}

fn broker(mut parts: Parts<'_>) {
    let options = SecurityOptions {
        tls_certificate: Some(file("broker.pem", &mutated(&SOUND.member.0, &mut parts))),
        tls_key: Some(file("broker.key", &mutated(&SOUND.member.1, &mut parts))),
        client_ca: Some(file(
            "clients.pem",
            &mutated(&SOUND.authority.0, &mut parts),
        )),
        tokens: None,
        insecure_listen: false,
        open_action_cache: false,
    };
    let address = std::net::Ipv4Addr::LOCALHOST.into();
    if let Ok(security) = options.resolve(address) {
        let tls = security.tls.expect("a certificate was given");
        drop(services::server().tls_config(tls).map(drop));
    }
}

/// The file of tokens, and what somebody shows.
fn tokens(mut parts: Parts<'_>) {
    let token = parts.text();
    let (first, second) = (parts.part(), parts.0);
    let path = file("tokens", first);
    let Ok(tokens) = TokenFile::open(&path) else {
        return;
    };
    drop(tokens.identify(&token));
    file("tokens", second);
    drop(tokens.identify(&token));
    let access = guard::AccessPolicy {
        tokens: Some(Arc::new(tokens)),
        ..Default::default()
    };
    let mut request = tonic::Request::new(());
    if let Ok(value) = tonic::metadata::MetadataValue::try_from(token.as_bytes()) {
        let mut shown = MetadataMap::new();
        shown.insert("authorization", value);
        *request.metadata_mut() = shown;
    }
    let mut guard = access.guard(&[ClusterRole::Client]);
    drop(tonic::service::Interceptor::call(&mut guard, request));
}
