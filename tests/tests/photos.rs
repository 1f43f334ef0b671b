//! Photos of records through the door: what is kept, what is left out, what never shows.

use std::collections::BTreeMap;

use tuquan_core::attachment::{BYTES_MAX, CHUNK_LEN, ImageKind, image};
use tuquan_core::domain::category::Category;
use tuquan_core::domain::incident::Incident;
use tuquan_core::door::attaching::Opened;
use tuquan_core::door::command::Command;
use tuquan_core::door::query::Search;
use tuquan_core::door::{Config, Tuquan};
use tuquan_core::ids::RecordId;
use tuquan_core::record::declare::Role;
use tuquan_core::record::plain::Plain;
use tuquan_core::sync::session::{Options, Session, Side};
use tuquan_tests::phone::{
    Folder, HandClock, NOON_MS, env, incident, location, note, open, request,
};
use tuquan_tests::picture::{
    SECRET_PLACE, exif, jpeg, noise, png, png_chunk, riff, segment, webp, webp_extended, webp_lossy,
};
use tuquan_tests::team::join;

fn founder(name: &str) -> (Folder, HandClock, Tuquan) {
    let (folder, clock) = (Folder::new(name), HandClock::at(NOON_MS));
    let store = open(location(folder.path(), None), 1, &clock).expect("opened");
    store.found().expect("founded");
    (folder, clock, store)
}

fn written(store: &Tuquan, number: u64, command: &Command) -> RecordId {
    store.apply(request(number), command).expect("written").record
}

/// The bytes of the only photo of a record; none while chunks are missing.
fn only(store: &Tuquan, record: &RecordId) -> Option<image::Image> {
    let photos = store.attachments(record).expect("read");
    assert_eq!(photos.len(), 1);
    match store.attachment(record, &photos[0].key).expect("opened") {
        Opened::Whole(image) => Some(image),
        Opened::Missing { .. } => None,
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|part| part == wanted)
}

/// Runs a session to its end; returns all bytes that went over, frame by frame.
fn meet(a: &Tuquan, b: &Tuquan) -> Vec<Vec<u8>> {
    let mut one = Session::new(Side::Initiator, NOON_MS, Options::default());
    let mut two = Session::new(Side::Responder, NOON_MS, Options::default());
    let mut frames = Vec::new();
    loop {
        let before = frames.len();
        while let Some(frame) = a.bulk(|replica| one.poll_transmit(replica)).expect("made") {
            b.bulk(|replica| two.handle_message(replica, &frame, NOON_MS)).expect("taken");
            frames.push(frame);
        }
        while let Some(frame) = b.bulk(|replica| two.poll_transmit(replica)).expect("made") {
            a.bulk(|replica| one.handle_message(replica, &frame, NOON_MS)).expect("taken");
            frames.push(frame);
        }
        if frames.len() == before {
            break;
        }
    }
    assert!(one.has_ended() && two.has_ended());
    frames
}

#[test]
fn a_photo_is_saved_with_its_entry_once_and_comes_back_without_its_metadata() {
    let (folder, clock, store) = founder("photo");
    let record = written(&store, 1, &incident("Ổ điện chập"));
    let data = noise(3 * CHUNK_LEN, 1);
    let given = jpeg(1_600, 1_200, &exif(), &data);
    let applied = store.attach(request(2), &record, &given).expect("attached");
    assert_eq!(applied.record, record);
    let again = store.attach(request(2), &record, &given).expect("answered");
    assert_eq!(again.entry, applied.entry);
    drop(store);
    let store = open(location(folder.path(), None), 2, &clock).expect("opened again");
    let kept = only(&store, &record).expect("whole");
    assert_eq!((kept.kind, kept.pixels), (ImageKind::Jpeg, (1_600, 1_200)));
    assert_eq!(kept.bytes, jpeg(1_600, 1_200, &[], &data));
    assert!(!contains(&kept.bytes, SECRET_PLACE));
    let [photo] = store.attachments(&record).expect("read").try_into().expect("one photo");
    assert_eq!((photo.size as usize, photo.here, photo.of), (kept.bytes.len(), 4, 4));
    assert!(store.missing_chunks(9).expect("read").is_empty());
    // Taken out, it is gone from the disk too.
    store.detach(request(3), &record, &photo.key).expect("taken out");
    assert!(store.attachments(&record).expect("read").is_empty());
    assert_eq!(store.chunks_to_offer(9).expect("read"), []);
    let none = store.detach(request(4), &record, &photo.key).expect_err("gone");
    assert_eq!(none.code(), "E-NOTFOUND");
}

#[test]
fn neither_the_file_nor_a_pack_nor_a_chunk_has_bytes_of_a_photo_in_it() {
    let (folder, clock, one) = founder("canary");
    let other = Folder::new("canary-other");
    let two = open(location(other.path(), None), 2, &clock).expect("opened");
    join(&one, &two, Role::R1).expect("joined");
    let record = written(&one, 1, &incident("Ổ điện chập"));
    let canary = noise(64, 77);
    let data = [noise(CHUNK_LEN, 3), canary.clone(), noise(CHUNK_LEN, 4)].concat();
    let photo = jpeg(800, 600, &[], &data);
    one.attach(request(2), &record, &photo).expect("attached");
    let bundle = one.bulk(|replica| replica.export_bundle(None, false, 3)).expect("made");
    // A bundle brings the record and not the photo.
    assert!(bundle.len() < 20_000);
    two.bulk(|replica| replica.import_bundle(&bundle, &mut |_, _| {})).expect("imported");
    assert_eq!(only(&two, &record), None);
    assert_eq!(two.missing_chunks(9).expect("read").len(), 3);
    let frames = meet(&one, &two);
    assert_eq!(only(&two, &record).expect("whole").bytes, photo);
    for frame in frames.iter().chain([&bundle]) {
        assert!(!contains(frame, &canary));
    }
    for store in [&one, &two] {
        store.pause().expect("written out");
    }
    for folder in [&folder, &other] {
        for file in std::fs::read_dir(folder.path()).expect("listed") {
            let path = file.expect("a file").path();
            let bytes = std::fs::read(&path).expect("read");
            assert!(!contains(&bytes, &canary), "{}", path.display());
        }
    }
}

#[test]
fn what_opens_a_photo_shows_in_no_answer_and_no_command_takes_it() {
    let (_folder, _clock, store) = founder("manifest");
    let record = written(&store, 1, &incident("Ổ điện chập"));
    store.attach(request(2), &record, &jpeg(8, 8, &[], b"scan")).expect("attached");
    let shown = store.get(&record).expect("read").expect("there");
    let photos = &shown.lists["photos"];
    let image = BTreeMap::from([("image".to_owned(), Plain::from("jpeg"))]);
    assert_eq!(photos[0].value, Plain::Parts(image.clone()));
    let json = serde_json::to_string(&shown).expect("json");
    assert!(!json.contains("manifest"), "{json}");
    let search = |text: &str| {
        let search = Search { text: text.to_owned(), kind: None, limit: 9 };
        store.search(&search).expect("searched").len()
    };
    assert_eq!((search("chap"), search("jpeg"), search("manifest")), (1, 0, 0));
    // A photo without what opens it, and one whose key somebody wrote.
    let mut written = image.clone();
    for (number, manifest) in [(10, None), (11, Some("00"))] {
        written.extend(manifest.map(|text| ("manifest".to_owned(), Plain::from(text))));
        let (field, element) = ("photos".to_owned(), Plain::Parts(written.clone()));
        let command = Command::Add { record, field, element };
        let error = store.apply(request(number), &command).expect_err("refused");
        assert_eq!(error.code(), "E-INVALID");
    }
}

#[test]
fn a_sealed_kind_and_a_place_take_no_photo() {
    let (_folder, _clock, store) = founder("sealed");
    let made = |number, category| {
        let incident = Incident { category: Some(category), ..Incident::default() };
        written(&store, number, &Command::Create { draft: incident.draft(), key: None })
    };
    let image = jpeg(8, 8, &[], b"scan");
    for (number, category) in (10..).zip(Category::ALL.iter().copied()) {
        let record = made(number, category);
        let outcome = store.attach(request(100 + number), &record, &image);
        match category.is_sealed() {
            true => assert_eq!(outcome.expect_err("refused").code(), "E-INVALID"),
            false => assert_eq!(outcome.expect("attached").record, record),
        }
        let count = usize::from(!category.is_sealed());
        assert_eq!(store.attachments(&record).expect("read").len(), count);
    }
    // Nothing of a refused one stays.
    assert_eq!(store.chunks_to_offer(100).expect("read").len(), 14);
    // And what has a photo does not become sealed.
    let record = made(50, Category::Noise);
    store.attach(request(51), &record, &image).expect("attached");
    let sealed = tuquan_tests::phone::edit(record, "category", Plain::from("bullying"));
    assert_eq!(store.apply(request(52), &sealed).expect_err("refused").code(), "E-INVALID");
    let place = tuquan_core::record::plain::Draft::new("place").with("name", Plain::from("B2"));
    let place = written(&store, 60, &Command::Create { draft: place, key: None });
    let refused = store.attach(request(61), &place, &image).expect_err("refused");
    assert_eq!(refused.code(), "E-INVALID");
}

#[test]
fn who_carries_chunks_to_a_relay_asks_what_lacks_and_what_to_offer() {
    let (_folder, clock, one) = founder("relay");
    let other = Folder::new("relay-other");
    let two = open(location(other.path(), None), 2, &clock).expect("opened");
    join(&one, &two, Role::R1).expect("joined");
    let record = written(&one, 1, &incident("Ổ điện chập"));
    let large = jpeg(800, 600, &[], &noise(2 * CHUNK_LEN, 3));
    let small = jpeg(80, 60, &[], &noise(100, 4));
    one.attach(request(2), &record, &large).expect("attached");
    one.attach(request(3), &record, &small).expect("attached");
    written(&one, 4, &note(record, "đã chụp"));
    let offered = one.chunks_to_offer(9).expect("read");
    assert_eq!(offered.len(), 4);
    assert_eq!(one.chunks_to_offer(1).expect("read"), offered[..1]);
    let first = one.chunk(&offered[0]).expect("read").expect("here");
    assert!(first.len() < 1_000, "the small photo goes first");
    // A chunk that nobody names is not kept, one under another name is refused.
    assert_eq!(two.put_chunk(&offered[0], &first), Ok(false));
    let bundle = one.bulk(|replica| replica.export_bundle(None, false, 3)).expect("made");
    two.bulk(|replica| replica.import_bundle(&bundle, &mut |_, _| {})).expect("imported");
    assert_eq!(two.missing_chunks(9).expect("read"), offered);
    assert_eq!(two.put_chunk(&offered[1], &first).expect_err("refused").code(), "E-CHUNK");
    assert_eq!(two.put_chunk(&offered[0], &first), Ok(true));
    assert_eq!(two.put_chunk(&offered[0], &first), Ok(false));
    assert_eq!(two.missing_chunks(9).expect("read"), offered[1..]);
    one.note_relayed(&offered[..3]).expect("noted");
    assert_eq!(one.chunks_to_offer(9).expect("read"), offered[3..]);
    one.forget_relayed().expect("forgotten");
    assert_eq!(one.chunks_to_offer(9).expect("read"), offered);
}

#[test]
fn a_photo_that_is_nowhere_else_is_salvaged_with_its_record() {
    let (folder, clock, store) = founder("salvaged");
    let record = written(&store, 1, &incident("Ổ điện chập"));
    let photo = jpeg(800, 600, &[], &noise(2 * CHUNK_LEN, 3));
    store.attach(request(2), &record, &photo).expect("attached");
    drop(store);
    let config = Config::new(location(folder.path(), None));
    Tuquan::salvage(&config, env(3, &clock), &mut |_, _| {}).expect("salvaged");
    let store = open(location(folder.path(), None), 4, &clock).expect("opened");
    assert_eq!(only(&store, &record).expect("whole").bytes, photo);
}

#[test]
fn what_is_no_pixel_is_left_out_of_every_sort_of_image() {
    let data = noise(5_000, 9);
    let thumbnail = [&b"JFIF\0\x01\x02\x00\x00\x48\x00\x48\x01\x01"[..], b"rgb"].concat();
    let extra = [
        segment(0xe0, &thumbnail),
        segment(0xe0, &[b"JFXX\0\x10", SECRET_PLACE].concat()),
        exif(),
        segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", SECRET_PLACE].concat()),
        segment(0xe2, &[b"MPF\0", SECRET_PLACE].concat()),
        segment(0xed, &[b"Photoshop 3.0\0", SECRET_PLACE].concat()),
        segment(0xfe, SECRET_PLACE),
    ];
    let clean = |bytes: &[u8]| image::clean(bytes).expect("an image");
    let given = [jpeg(64, 48, &extra.concat(), &data), SECRET_PLACE.to_vec()].concat();
    let kept = clean(&given);
    let without = segment(0xe0, &[&thumbnail[..12], &[0, 0]].concat());
    assert_eq!((kept.pixels, kept.bytes), ((64, 48), jpeg(64, 48, &without, &data)));
    let extra = [
        png_chunk(b"gAMA", &[0, 0, 0, 1]),
        png_chunk(b"eXIf", SECRET_PLACE),
        png_chunk(b"tEXt", SECRET_PLACE),
        png_chunk(b"iTXt", SECRET_PLACE),
        png_chunk(b"tIME", SECRET_PLACE),
        png_chunk(b"prIv", SECRET_PLACE),
    ];
    let kept = clean(&[png(64, 48, &extra.concat(), &data), SECRET_PLACE.to_vec()].concat());
    assert_eq!((kept.pixels, kept.bytes), ((64, 48), png(64, 48, &extra[0], &data)));
    let frame = webp_lossy(64, 48, &data[1..]);
    let metadata = [riff(b"EXIF", SECRET_PLACE), riff(b"XMP ", SECRET_PLACE)].concat();
    let given = webp(&[webp_extended(0x2c, 64, 48), frame.clone(), metadata].concat());
    let kept = clean(&[given, SECRET_PLACE.to_vec()].concat());
    let wanted = webp(&[webp_extended(0x20, 64, 48), frame].concat());
    assert_eq!((kept.kind, kept.pixels, &kept.bytes), (ImageKind::WebP, (64, 48), &wanted));
    for image in [jpeg(64, 48, &[], &data), png(64, 48, &[], &data), wanted] {
        assert_eq!(clean(&image).bytes, image, "cleaned twice");
        for len in 0..image.len() {
            let cut = image::clean(&image[..len]).expect_err("cut off");
            assert_eq!(cut.code(), "E-IMAGE");
        }
    }
}

#[test]
fn a_photo_may_have_ten_mebibytes_and_not_one_more() {
    let (_folder, _clock, store) = founder("largest");
    let record = written(&store, 1, &incident("Ổ điện chập"));
    let walls = jpeg(64, 48, &[], &[]).len();
    let largest = jpeg(64, 48, &[], &noise(BYTES_MAX - walls, 5));
    store.attach(request(2), &record, &largest).expect("attached");
    assert!(only(&store, &record).expect("whole").bytes == largest);
    let over = jpeg(64, 48, &[], &noise(BYTES_MAX - walls + 1, 5));
    let refused = store.attach(request(3), &record, &over).expect_err("refused");
    assert_eq!(refused.code(), "E-IMAGE");
    assert_eq!(store.attachments(&record).expect("read").len(), 1);
}
