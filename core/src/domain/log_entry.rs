//! Log entries ("dòng sổ trực"): a line of the duty book, without a lifecycle.
//!
//! Must not know: incidents, but for a reference to the one that a line led to.

use crate::attachment::Photo;
use crate::domain::category::Category;
use crate::ids::RecordId;
use crate::record::declare::Fields;
use crate::record::declare::shipped_record as record;

record! {
    /// A line of the duty book.
    pub struct LogEntry = 3, "log_entry" {
        writers: [R1, R2, R3],
        check: sealed_kinds_have_no_text,
        /// What it is about.
        16 category: Category, MV t; indexed,
        /// Where.
        17 place: RecordId, MV t; indexed,
        /// What happened; lines are added, never rewritten.
        18 note: String, AO t; searched,
        /// Whether somebody must look at it now.
        19 urgent: bool, LW t,
        /// The incident that it led to.
        21 incident: RecordId, LW t,
        /// Photos of the place or the damage, never of a person's papers or file.
        22 photos: Photo, OR t,
    }
}

/// Until sealed values exist, a sealed kind takes its category and building only.
pub(crate) fn sealed_kinds_have_no_text(fields: &dyn Fields) -> Result<(), &'static str> {
    use crate::codec::Value;
    use crate::record::declare::FieldType;
    let sealed =
        fields.all("category").iter().filter_map(Category::from_value).any(Category::is_sealed);
    let open = ["note", "summary", "timeline", "assignees", "photos"];
    if sealed && open.iter().any(|field| !fields.all(field).is_empty()) {
        return Err("a sealed kind takes its category and building only");
    }
    // A command cannot say what opens a photo: only sealing one makes it.
    let has_manifest = |photo: &Value| matches!(photo, Value::List(parts) if parts.len() > 1);
    if !fields.all("photos").iter().all(has_manifest) {
        return Err("photos are attached, not written");
    }
    Ok(())
}
