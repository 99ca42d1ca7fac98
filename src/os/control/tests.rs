//! Claims about the desk: what well-behaved and other peers get.

use serde_json::json;

use super::*;

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("streamguard-control-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn peer(place: &Place, access: Access) -> UnixStream {
    let stream = UnixStream::connect(place.0.join(access.socket_name())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    stream
}

fn line(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_request_is_one_line_and_so_is_its_answer() {
    let place = Place::new("line");
    let mut desk = Desk::open(&place.0, None).unwrap();
    let mut stream = peer(&place, Access::View);
    stream.write_all(b"{\"id\":7,\"method\":\"sta").unwrap();
    assert_eq!(desk.turn(), []);
    stream.write_all(b"tus\"}\n\n{\"id\":\"x\",\"method\":\"clients\",\"params\":{\"n\":1}}\n").unwrap();
    let requests = desk.turn();
    assert_eq!(requests.len(), 2);
    assert_eq!(
        (requests[0].method.as_str(), requests[0].access, &requests[0].id),
        ("status", Access::View, &json!(7))
    );
    assert_eq!(requests[1].params, json!({"n": 1}));
    desk.answer(&requests[0], Ok(json!({"ok": true}).to_string()));
    desk.answer(&requests[1], Err(Refusal { code: "bad_params", message: "no" }));
    assert_eq!(line(&mut stream), r#"{"id":7,"result":{"ok":true}}"#);
    assert_eq!(line(&mut stream), r#"{"id":"x","error":{"code":"bad_params","message":"no"}}"#);
}

#[test]
fn what_is_no_request_gets_an_error_and_the_peer_stays() {
    let place = Place::new("bad");
    let mut desk = Desk::open(&place.0, None).unwrap();
    let mut stream = peer(&place, Access::Control);
    for bad in ["{", "[]", "null", "{\"id\":1}", "{\"method\":5}", "\"x\"", "{\"method\":\"a\"}x", "\u{fffd}"]
    {
        stream.write_all(format!("{bad}\n").as_bytes()).unwrap();
        assert_eq!(desk.turn(), [], "{bad}");
        let answer: Value = serde_json::from_str(&line(&mut stream)).unwrap();
        assert_eq!(answer["error"]["code"], "bad_request", "{bad}");
    }
    stream.write_all(b"\xff\xfe\n{\"method\":\"status\"}\n").unwrap();
    assert_eq!(desk.turn().len(), 1);
}

#[test]
fn a_line_without_end_costs_bounded_memory_and_the_seat() {
    let place = Place::new("long");
    let mut desk = Desk::open(&place.0, None).unwrap();
    let mut stream = peer(&place, Access::Control);
    stream.set_nonblocking(true).unwrap();
    for _ in 0..200 {
        let _ = stream.write(&[b'x'; 4096]);
        assert_eq!(desk.turn(), []);
    }
    assert_eq!(desk.peers.len(), 0);
}

#[test]
fn a_peer_that_does_not_read_is_disconnected() {
    let place = Place::new("slow");
    let mut desk = Desk::open(&place.0, None).unwrap();
    let mut stream = peer(&place, Access::View);
    stream.write_all(b"{\"method\":\"subscribe\"}\n").unwrap();
    let [request] = desk.turn().try_into().unwrap();
    desk.subscribe(&request);
    let event = json!({"event": "x".repeat(1000)});
    for _ in 0..4_000 {
        desk.publish(&event);
    }
    assert!(desk.peers[0].outgoing.len() <= 2 * MAX_PENDING_BYTES + 1);
    assert_eq!(desk.turn(), []);
    assert_eq!(desk.peers.len(), 0);
}

#[test]
fn who_only_sits_makes_room_for_who_comes() {
    let place = Place::new("seats");
    let mut desk = Desk::open(&place.0, None).unwrap();
    let mut seated: Vec<UnixStream> = (0..MAX_PEERS).map(|_| peer(&place, Access::View)).collect();
    desk.turn();
    for stream in &mut seated {
        stream.write_all(b"{\"id\":1,\"method\":\"sta").unwrap();
    }
    seated[0].write_all(b"tus\"}\n").unwrap();
    assert_eq!(desk.turn().len(), 1);
    let mut late = peer(&place, Access::Control);
    late.write_all(b"{\"method\":\"status\"}\n").unwrap();
    assert_eq!(desk.turn().len(), 1);
    assert!(line(&mut seated[1]).contains("too many connections"));
    assert_eq!((desk.peers.len(), desk.turned_away()), (MAX_PEERS, 1));
    drop(seated);
    drop(late);
    desk.turn();
    assert_eq!(desk.peers.len(), 0);
}

#[test]
fn a_crowd_that_comes_at_once_and_those_who_listen_keep_their_seats() {
    let place = Place::new("crowd");
    let mut desk = Desk::open(&place.0, None).unwrap();
    let mut seated: Vec<UnixStream> = (0..=MAX_PEERS).map(|_| peer(&place, Access::View)).collect();
    desk.turn();
    assert!(line(seated.last_mut().unwrap()).contains("too many connections"));
    for stream in &mut seated[..=MAX_LISTENERS] {
        stream.write_all(b"{\"id\":1,\"method\":\"subscribe\"}\n").unwrap();
    }
    for request in desk.turn() {
        desk.subscribe(&request);
    }
    let answers: Vec<bool> =
        seated[..=MAX_LISTENERS].iter_mut().map(|stream| line(stream).contains("subscribed")).collect();
    assert_eq!(answers.iter().filter(|said| **said).count(), MAX_LISTENERS);
    let _crowd: Vec<UnixStream> = (0..MAX_PEERS).map(|_| peer(&place, Access::View)).collect();
    desk.turn();
    assert_eq!(desk.peers.iter().filter(|peer| peer.listening == Listening::Events).count(), MAX_LISTENERS);
}

#[test]
fn who_is_sent_away_learns_why() {
    let place = Place::new("away");
    let mut desk = Desk::open(&place.0, None).unwrap();
    let _seated: Vec<UnixStream> = (0..MAX_PEERS).map(|_| peer(&place, Access::View)).collect();
    let mut late = Caller::connect(&place.0, Access::View).unwrap();
    desk.turn();
    assert_eq!(late.call("status", &json!({})).unwrap_err().to_string(), "too many connections");
}

#[test]
fn a_second_daemon_is_refused_and_a_stale_socket_replaced() {
    let place = Place::new("twice");
    let desk = Desk::open(&place.0, None).unwrap();
    assert!(matches!(Desk::open(&place.0, None), Err(ControlError::InUse(_))));
    std::mem::forget(desk.listeners.iter().map(|(_, l)| l.try_clone().unwrap()).collect::<Vec<_>>());
    drop(desk);
    assert!(Desk::open(&place.0, None).is_ok());
}

#[test]
fn a_second_daemon_is_refused_before_the_first_has_its_sockets() {
    let place = Place::new("moment");
    let desk = Desk::open(&place.0, None).unwrap();
    for access in [Access::Control, Access::View] {
        std::fs::remove_file(place.0.join(access.socket_name())).unwrap();
    }
    assert!(matches!(Desk::open(&place.0, None), Err(ControlError::InUse(_))));
    drop(desk);
    assert!(Desk::open(&place.0, None).is_ok());
}

#[test]
fn a_caller_gets_its_answer_or_the_reason() {
    let place = Place::new("call");
    let mut desk = Desk::open(&place.0, None).unwrap();
    let directory = place.0.clone();
    let caller = std::thread::spawn(move || {
        let mut caller = Caller::connect(&directory, Access::Control).unwrap();
        (
            caller.call("status", &json!({})).unwrap(),
            caller.call("grant", &json!({})).unwrap_err().to_string(),
        )
    });
    let mut answered = 0;
    while answered < 2 {
        for request in desk.turn() {
            match request.method.as_str() {
                "status" => desk.answer(&request, Ok(json!("fine").to_string())),
                _ => desk.answer(&request, Err(Refusal { code: "bad_params", message: "who?" })),
            }
            answered += 1;
        }
    }
    assert_eq!(caller.join().unwrap(), (json!("fine"), "who?".to_owned()));
    assert!(matches!(
        Caller::connect(Path::new("/nonexistent"), Access::View),
        Err(ControlError::Socket { .. })
    ));
}
