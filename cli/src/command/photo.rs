//! Photos of records: attaching, listing, writing to a file, taking out.
//!
//! Must not know: images, chunks; the core cleans, seals and opens.

use std::path::Path;

use serde_json::json;
use tuquan_core::{
    door::attaching::{Attachment, Opened},
    error::{Error, Kind},
};

use super::{exchange, write};
use crate::{
    answer::Answer,
    context::Context,
    failure::{Failure, Outcome},
    time,
};

/// Attaches an image file to a record.
pub(crate) fn attach(context: &Context<'_>) -> Outcome<Answer> {
    let bytes = exchange::read(Path::new(context.required("file")?))?;
    let store = context.open()?;
    let record = context.record(&store)?.record;
    let applied = store.attach(context.request(), &record, &bytes)?;
    write::answer(context, &store, &applied)
}

/// Lists the photos of a record, writes one to a file, or takes one out.
pub(crate) fn photo(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let record = context.record(&store)?.record;
    let photos = store.attachments(&record)?;
    let Some(number) = context.text("number") else {
        return Ok(list(context, &photos));
    };
    let none = || Failure::not_found(context.words.say("photo.none", &[("text", &number)]));
    let at = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let photo = at.and_then(|at| photos.get(at)).ok_or_else(none)?;
    if context.flag("take-out") {
        let applied = store.detach(context.request(), &record, &photo.key)?;
        return write::answer(context, &store, &applied);
    }
    let Some(path) = context.text("out") else {
        return Ok(list(context, std::slice::from_ref(photo)));
    };
    let image = match store.attachment(&record, &photo.key)? {
        Opened::Whole(image) => image,
        Opened::Missing { missing, of } => {
            let said = context.words.say("photo.missing", &[("missing", &missing), ("of", &of)]);
            return Err(Error::new(Kind::BodyMissing, said).into());
        }
    };
    exchange::write(Path::new(path), &image.bytes)?;
    let bytes = image.bytes.len();
    let values: [(&str, &dyn std::fmt::Display); 2] =
        [("file", &path), ("bytes", &context.words.count(bytes as u64))];
    let value = json!({ "file": path, "bytes": bytes, "image": image.kind,
        "width": image.pixels.0, "height": image.pixels.1 });
    Ok(Answer::new(context.words.say("photo.written", &values), value))
}

fn list(context: &Context<'_>, photos: &[Attachment]) -> Answer {
    let words = context.words;
    let line = |(number, photo): (usize, &Attachment)| {
        let kind = photo.image.map_or("", |kind| words.token("photos_image", kind.token()));
        let (saved, missing) = (time::moment(photo.saved_ms), photo.of - photo.here);
        let bytes = words.count(u64::from(photo.size));
        let mut line = format!("{number}  {saved}  {kind}  {bytes} B");
        if missing > 0 {
            let values: [(&str, &dyn std::fmt::Display); 2] =
                [("missing", &missing), ("of", &photo.of)];
            line = format!("{line}  ({})", words.say("photo.missing", &values));
        }
        line
    };
    let lines: Vec<String> = (1..).zip(photos).map(line).collect();
    let text = match lines.is_empty() {
        true => words.get("photo.no_photos").to_owned(),
        false => lines.join("\n"),
    };
    Answer::new(text, json!({ "photos": photos }))
}
