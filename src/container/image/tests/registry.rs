//! Connections to a registry: resuming, authentication, wrong answers.

use super::server::{Request, unserved};
use super::*;
use data_encoding::BASE64;

#[test]
fn an_image_is_pulled_once_and_then_is_there() {
    let sample = Sample::new();
    let served = sample.clone();
    let server = Server::new(move |request| served.serve(&request.path));
    let bench = Bench::new();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    let progress: ProgressCallback = Arc::new(move |progress| sink.lock().unwrap().push(progress));
    let image = bench
        .pull_watched(&server.image(), None, &progress)
        .unwrap();
    assert_eq!(image.digest, sample.hash());
    assert_eq!(image.settings.working_directory.as_deref(), Some("/srv"));
    let environment = [("PATH", "/bin"), ("EMPTY", ""), ("A", "b=c")];
    assert_eq!(
        image.settings.environment,
        environment.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    let [layer] = image.layers.as_slice() else {
        panic!("{image:?}")
    };
    assert_eq!(
        std::fs::read(layer.root().join("greeting")).unwrap(),
        b"hello"
    );

    let heard = heard.lock().unwrap();
    for phase in [LayerPhase::Download, LayerPhase::Unpack] {
        let of_phase: Vec<_> = heard.iter().filter(|step| step.phase == phase).collect();
        assert!(of_phase.is_sorted_by_key(|step| step.done_bytes));
        let last = of_phase.last().unwrap();
        assert_eq!(last.total_bytes, sample.layer.len() as u64);
        assert_eq!(last.done_bytes, last.total_bytes, "{phase:?}");
    }

    let asked = server.requests().len();
    assert_eq!(asked, 3, "manifest, configuration and layer");
    let locked = Some(image.digest);
    let again = bench.pull_locked(&server.image(), locked).unwrap();
    assert_eq!(again.layers[0].root(), layer.root());
    assert_eq!(server.requests().len(), asked, "nothing is asked twice");
    let by_digest = format!("{}@sha256:{}", server.image(), image.digest);
    assert_eq!(bench.pull(&by_digest).unwrap().digest, image.digest);
    assert_eq!(server.requests().len(), asked);
}

#[test]
fn a_damaged_depot_is_mended() {
    let sample = Sample::new();
    let served = sample.clone();
    let server = Server::new(move |request| served.serve(&request.path));
    let bench = Bench::new();
    let image = bench.pull(&server.image()).unwrap();
    std::fs::remove_file(image.layers[0].root().join("greeting")).unwrap();
    let digest = image.digest;
    drop(image);
    let blobs = bench.cache.path().join("blobs");
    let config = blobs.join(ContentHash::of(&sample.config).to_string());
    std::fs::remove_file(config).unwrap();
    let image = bench.pull_locked(&server.image(), Some(digest)).unwrap();
    assert!(image.layers[0].root().join("greeting").exists());
}

#[test]
fn a_layer_is_resumed_where_it_broke_off() {
    let sample = Sample::new();
    let half = sample.layer.len() / 2;
    let served = sample.clone();
    let server = Server::new(move |request| {
        let answer = served.serve(&request.path);
        match request.range_start() {
            Some(start) => answer.resumed_at(start),
            None if served.is_layer(&request.path) => answer.cut_after(half),
            None => answer,
        }
    });
    Bench::new().pull(&server.image()).unwrap();
    let layer_requests: Vec<Request> = server
        .requests()
        .into_iter()
        .filter(|request| sample.is_layer(&request.path))
        .collect();
    assert_eq!(layer_requests.len(), 2);
    assert_eq!(layer_requests[1].range_start(), Some(half));
}

#[test]
fn another_run_goes_on_where_the_first_gave_up() {
    let sample = Sample::new();
    let third = sample.layer.len() / 3;
    let served = sample.clone();
    let server = Server::new(move |request| {
        let answer = served.serve(&request.path);
        match served.is_layer(&request.path) {
            true if request.range_start().is_none() => answer.cut_after(third),
            true => Answer::status(500),
            false => answer,
        }
    });
    let bench = Bench::new();
    bench.pull(&server.image()).unwrap_err();
    let served = sample.clone();
    server.replace(move |request| {
        let answer = served.serve(&request.path);
        match request.range_start() {
            Some(start) => answer.resumed_at(start),
            None => answer,
        }
    });
    bench.pull(&server.image()).unwrap();
    let last = server.requests().pop().unwrap();
    assert_eq!(last.range_start(), Some(third));
}

#[test]
fn a_registry_that_cannot_resume_starts_over() {
    let sample = Sample::new();
    for broken in [
        // As if no range had been asked for.
        |answer: Answer| answer,
        |answer: Answer| answer.resumed_at(1),
        |_| Answer::status(416),
    ] {
        let served = sample.clone();
        let asked = Mutex::new(0);
        let server = Server::new(move |request| {
            let answer = served.serve(&request.path);
            if !served.is_layer(&request.path) {
                return answer;
            }
            let mut asked = asked.lock().unwrap();
            *asked += 1;
            match (*asked, request.range_start()) {
                (1, _) => answer.cut_after(100),
                (_, Some(_)) => broken(answer),
                (_, None) => answer,
            }
        });
        Bench::new().pull(&server.image()).unwrap();
    }
}

#[test]
fn a_busy_registry_is_asked_again() {
    let sample = Sample::new();
    let served = sample.clone();
    let asked = Mutex::new(std::collections::HashMap::new());
    let server = Server::new(move |request| {
        let mut asked = asked.lock().unwrap();
        let count = asked.entry(request.path.clone()).or_insert(0);
        *count += 1;
        match *count {
            1 => Answer::status(429),
            2 => Answer::status(503),
            _ => served.serve(&request.path),
        }
    });
    Bench::new().pull(&server.image()).unwrap();
}

/// Of everything a registry can do wrong, what is said.
#[test]
fn every_misbehavior_is_an_error_that_names_the_url() {
    let sample = Sample::new();
    type Misbehavior = fn(&Sample, &Request) -> Option<Answer>;
    let misbehaviors: [(&str, Misbehavior); 11] = [
        ("unknown image", |_, request| {
            request
                .path
                .contains("manifests")
                .then(|| Answer::error(404, "manifest unknown"))
        }),
        ("wants a login", |_, _| {
            Some(
                Answer::error(401, "authentication required")
                    .header("www-authenticate", "Basic realm=x"),
            )
        }),
        ("wants an unknown login", |_, _| {
            Some(Answer::status(401).header("www-authenticate", "Negotiate"))
        }),
        ("forbids", |_, request| {
            request
                .path
                .contains("manifests")
                .then(|| Answer::error(403, "denied"))
        }),
        ("is broken", |_, request| {
            request
                .path
                .contains("manifests")
                .then(|| Answer::error(500, "database is down"))
        }),
        ("lies about a tag", |_, request| {
            let other = sha256(b"another");
            request
                .path
                .ends_with("latest")
                .then(|| Answer::ok(b"{}").header("docker-content-digest", other))
        }),
        ("lies about a configuration", |sample, request| {
            request
                .path
                .ends_with(&sha256(&sample.config))
                .then(|| Answer::ok(b"{}"))
        }),
        ("lies about a layer", |sample, request| {
            let mut other = sample.layer.clone();
            other[100] ^= 1;
            sample.is_layer(&request.path).then(|| Answer::ok(&other))
        }),
        ("sends too much", |sample, request| {
            let longer = [sample.layer.as_slice(), b"!"].concat();
            sample.is_layer(&request.path).then(|| Answer::ok(&longer))
        }),
        ("always breaks off", |sample, request| {
            let answer = Answer::ok(&sample.layer).cut_after(10);
            sample.is_layer(&request.path).then_some(answer)
        }),
        ("redirects in circles", |_, request| {
            request
                .path
                .contains("manifests")
                .then(|| Answer::status(307).header("location", "/v2/app/manifests/circle"))
        }),
    ];
    let mut said = String::new();
    for (what, misbehave) in misbehaviors {
        let served = sample.clone();
        let server = Server::new(move |request| {
            misbehave(&served, request).unwrap_or_else(|| served.serve(&request.path))
        });
        let bench = Bench::new();
        let error = bench.pull(&server.image()).unwrap_err();
        said.push_str(&format!("{what}:\n  {}\n", explain(&error, &server)));
        let trees = std::fs::read_dir(bench.cache.path().join("trees")).unwrap();
        assert_eq!(trees.count(), 0, "{what}");
    }
    let said = said.replace(&sample.layer.len().to_string(), "SIZE");
    insta::assert_snapshot!(said);
}

#[test]
fn a_registry_that_is_down_is_named() {
    let server = Server::new(|_| Answer::status(500));
    let (_taken, address) = unserved();
    let error = Bench::new()
        .pull(&format!("docker://{address}/app"))
        .unwrap_err();
    let text = explain(&error, &server).replace(&address, "HOST");
    assert!(
        text.starts_with("cannot reach `https://HOST/v2/app/manifests/latest`:"),
        "{text}"
    );
    assert!(text.contains("onnection refused"), "{text}");
}

#[test]
fn a_registry_that_falls_silent_is_not_waited_for_forever() {
    let sample = Sample::new();
    let served = sample.clone();
    let server = Server::new(move |request| {
        let answer = served.serve(&request.path);
        match served.is_layer(&request.path) {
            true => answer.cut_after(10).then_silence(),
            false => answer,
        }
    });
    let patience = RetryPolicy {
        silence: Duration::from_millis(300),
        ..IMPATIENT
    };
    let bench = Bench::with(patience, CredentialFiles::default());
    let error = bench.pull(&server.image()).unwrap_err();
    assert!(matches!(error, ImageError::Silent { .. }), "{error:?}");
    assert!(error.to_string().contains("silent for 0.3 s"), "{error}");
}

#[test]
fn blobs_may_be_elsewhere_and_logins_do_not_go_there() {
    let sample = Sample::new();
    let layer = sample.layer.clone();
    let elsewhere = Arc::new(Server::new(move |_| Answer::ok(&layer)));
    let (served, target) = (sample.clone(), Arc::clone(&elsewhere));
    let server = Server::new(move |request| {
        if request.header("authorization").is_none() {
            return Answer::status(401).header("www-authenticate", "Basic realm=\"x\"");
        }
        if served.is_layer(&request.path) {
            // Another name for this machine, so another host.
            let port = target.address().rsplit(':').next().unwrap().to_owned();
            let location = format!("http://localhost:{port}/blob");
            return Answer::status(307).header("location", location);
        }
        served.serve(&request.path)
    });
    let files = login_file(
        &server.address(),
        serde_json::json!({ "auth": BASE64.encode(b"me:secret") }),
    );
    let bench = Bench::with(IMPATIENT, files.1);
    bench.pull(&server.image()).unwrap();
    let [request] = elsewhere.requests().try_into().unwrap();
    assert_eq!(request.header("authorization"), None);
}

/// A file that holds one login, and the directory it is in.
fn login_file(registry: &str, login: serde_json::Value) -> (tempfile::TempDir, CredentialFiles) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    let text = serde_json::json!({ "auths": { registry: login } }).to_string();
    std::fs::write(&path, text).unwrap();
    (directory, CredentialFiles::new(vec![path]))
}

/// A registry that wants a token, and the server that gives them: to everybody, to one who knows
/// the password, or to one who has an identity token.
fn token_registry(sample: &Sample, admitted: fn(&Request) -> bool) -> Server {
    let served = sample.clone();
    Server::new(move |request| {
        if request.path.starts_with("/token") {
            return match admitted(request) {
                true => Answer::ok(br#"{"token":"T0K","expires_in":60}"#),
                false => Answer::error(401, "incorrect username or password"),
            };
        }
        if request.header("authorization") == Some("Bearer T0K") {
            return served.serve(&request.path);
        }
        let host = request.header("host").unwrap();
        let challenge = format!(
            "Bearer realm=\"http://{host}/token\",service=\"test registry\",scope=\"repository:app:pull\""
        );
        Answer::status(401).header("www-authenticate", challenge)
    })
}

#[test]
fn a_token_is_fetched_once_for_everybody() {
    let sample = Sample::new();
    let server = token_registry(&sample, |request| request.header("authorization").is_none());
    Bench::new().pull(&server.image()).unwrap();
    let requests = server.requests();
    let tokens: Vec<_> = requests
        .iter()
        .filter(|request| request.path.starts_with("/token"))
        .collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(
        tokens[0].path,
        "/token?scope=repository%3Aapp%3Apull&service=test+registry"
    );
}

#[test]
fn a_password_buys_a_token() {
    let sample = Sample::new();
    let server = token_registry(&sample, |request| {
        request.header("authorization") == Some("Basic bWU6c2VjcmV0")
    });
    let error = Bench::new().pull(&server.image()).unwrap_err();
    assert!(matches!(error, ImageError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("incorrect username"), "{error}");
    for login in [
        serde_json::json!({ "auth": "bWU6c2VjcmV0" }),
        serde_json::json!({ "username": "me", "password": "secret" }),
    ] {
        let (_directory, files) = login_file(&server.address(), login);
        Bench::with(IMPATIENT, files).pull(&server.image()).unwrap();
    }
}

#[test]
fn an_identity_token_is_exchanged() {
    let sample = Sample::new();
    let server = token_registry(&sample, |request| {
        request.method == "POST"
            && request.body.contains("grant_type=refresh_token")
            && request.body.contains("refresh_token=ID%2B")
    });
    let login = serde_json::json!({ "auth": "PHRva2VuPjo=", "identitytoken": "ID+" });
    let (_directory, files) = login_file(&server.address(), login);
    Bench::with(IMPATIENT, files).pull(&server.image()).unwrap();
}

#[test]
fn a_wrong_password_is_refused_and_not_shown() {
    let sample = Sample::new();
    let server = Server::new(move |request| match request.header("authorization") {
        Some("Basic cmlnaHQ6cmlnaHQ=") => sample.serve(&request.path),
        _ => Answer::error(401, "authentication required")
            .header("www-authenticate", "Basic realm=\"x\""),
    });
    let login = serde_json::json!({ "username": "me", "password": "hunter2" });
    let (_directory, files) = login_file(&server.address(), login);
    let error = Bench::with(IMPATIENT, files)
        .pull(&server.image())
        .unwrap_err();
    let text = format!("{} {error:?}", explain(&error, &server));
    assert!(matches!(error, ImageError::Refused { status: 401, .. }));
    assert!(
        !text.contains("hunter2") && !text.contains("bWU6"),
        "{text}"
    );
}
