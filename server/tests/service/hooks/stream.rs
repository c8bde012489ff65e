//! Server-sent events: a tenant's own events, from where the client left off.

use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use serde_json::Value;

use super::id_of;
use crate::footage::scenes::{moving, tripod};
use crate::support::{Service, problem};

/// A received event: its id, name and data.
type Came = (u64, String, Value);

/// Follows events until the last wanted one or the end of the stream.
fn follow(
    service: &Service,
    key: &str,
    after: Option<&str>,
    is_last: impl Fn(&Came) -> bool,
) -> Vec<Came> {
    let mut request = service
        .with_key(key, "GET", "/v1/events")
        .timeout(Duration::from_secs(90));
    if let Some(after) = after {
        request = request.header("last-event-id", after);
    }
    let response = request.send().unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["content-type"]
        ),
        (200, &"text/event-stream".parse().unwrap())
    );
    let (mut came, mut id, mut name, mut data) = (Vec::new(), 0, String::new(), Value::Null);
    for line in BufReader::new(response).lines() {
        let Ok(line) = line else { break };
        match line.split_once(": ") {
            Some(("id", text)) => id = text.parse().unwrap(),
            Some(("event", text)) => text.clone_into(&mut name),
            Some(("data", text)) => data = serde_json::from_str(text).unwrap(),
            _ if line.is_empty() && !name.is_empty() => {
                let event = (id, std::mem::take(&mut name), data.take());
                let ends = is_last(&event);
                came.push(event);
                if ends {
                    break;
                }
            }
            _ => {}
        }
    }
    came
}

#[test]
fn a_stream_goes_on_where_it_was_and_shows_no_other_tenant() {
    let service = Service::start("", &[tripod(79, 1, 6)]);
    let (acme, other) = (
        service.key("acme", "submit,read"),
        service.key("umbrella", "submit,read"),
    );
    let first = id_of(&service.submit(&acme, "ada", &moving(751, 6)));
    let strange = id_of(&service.submit(&other, "bob", &moving(752, 6)));
    service.answer(&acme, &first);
    service.answer(&other, &strange);
    let second = id_of(&service.submit(&acme, "ada", &moving(753, 6)));
    let is_second = |came: &Came| came.1 == "submission.checked" && came.2["id"] == *second;
    let all = follow(&service, &acme, Some("0"), is_second);
    let names: Vec<&str> = all.iter().map(|came| &*came.1).collect();
    let once = ["submission.received", "submission.checked"];
    assert_eq!(names, [once, once].concat(), "{all:?}");
    assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0), "{all:?}");
    assert!(
        all.iter()
            .all(|came| came.2["type"] == *came.1 && came.2["at"].is_string())
    );
    assert!(all.iter().all(|came| came.2["id"] != *strange), "{all:?}");
    // Resuming in the middle misses nothing and repeats nothing.
    let rest = follow(&service, &acme, Some(&all[1].0.to_string()), is_second);
    assert_eq!(rest, all[2..]);
    for wrong in ["", "x", "-1", "99999999999999999999"] {
        problem(
            400,
            service
                .with_key(&acme, "GET", "/v1/events")
                .header("last-event-id", wrong)
                .send()
                .unwrap(),
        );
    }
    problem(401, service.request("GET", "/v1/events").send().unwrap());
    problem(
        403,
        service
            .with_key(&service.key("acme", "submit"), "GET", "/v1/events")
            .send()
            .unwrap(),
    );
}

#[test]
fn a_stream_ends_with_its_key_and_with_the_service_and_a_key_has_but_a_few() {
    let mut service = Service::start_empty("");
    let admin = service.key("acme", "admin");
    let wanted = serde_json::json!({ "name": "follower", "scopes": ["read"] });
    let made = service
        .with_key(&admin, "POST", "/v1/keys")
        .json(&wanted)
        .send()
        .unwrap();
    let made: Value = made.json().unwrap();
    let key = made["secret"].as_str().unwrap().to_owned();
    let streams: Vec<_> = (0..8)
        .map(|_| service.with_key(&key, "GET", "/v1/events").send().unwrap())
        .collect();
    assert!(streams.iter().all(|stream| stream.status() == 200));
    problem(
        429,
        service.with_key(&key, "GET", "/v1/events").send().unwrap(),
    );
    drop(streams);
    // Places that clients have left become free after a while.
    let began = std::time::Instant::now();
    while service
        .with_key(&key, "GET", "/v1/events")
        .send()
        .unwrap()
        .status()
        != 200
    {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::scope(|scope| {
        let following = scope.spawn(|| follow(&service, &key, None, |_| false));
        std::thread::sleep(Duration::from_millis(500));
        let revoked = service
            .with_key(&admin, "DELETE", &format!("/v1/keys/{}", id_of(&made)))
            .send()
            .unwrap();
        assert_eq!(revoked.status(), 204);
        assert!(following.join().unwrap().is_empty());
    });
    let key = service.key("acme", "read");
    let open = service.with_key(&key, "GET", "/v1/events").send().unwrap();
    assert!(service.stop(), "{}", service.log());
    assert!(
        open.text()
            .unwrap_or_default()
            .lines()
            .all(|line| line.is_empty() || line.starts_with(':'))
    );
}
