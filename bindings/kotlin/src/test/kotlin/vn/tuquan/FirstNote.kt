package vn.tuquan

import java.security.SecureRandom
import vn.tuquan.data.Category
import vn.tuquan.data.Command
import vn.tuquan.data.Content
import vn.tuquan.data.Incident
import vn.tuquan.data.ListQuery
import vn.tuquan.ffi.OpenOptions

suspend fun firstNote(folder: String, hub: String): Boolean {
    // On Android the Keystore keeps these 32 bytes; whoever has them can read the store.
    val key = ByteArray(32).also(SecureRandom()::nextBytes)
    Tuquan.open(OpenOptions("$folder/first", key, "$folder/first.fence")).use { store ->
        store.onDisk { found() }
        val said = Incident(category = Category.HAZARD, summary = "Ổ điện hành lang bị chập")
        val command = Command.Create(Content.Incident(said))
        // When this returns, the note is on the disk.
        val note = store.onDisk { apply(Tuquan.newRequestId(), command) }
        val page = store.onDisk { list(ListQuery(kind = "incident")) }
        for (row in page.rows) println((row.fields as Content.Incident).said.summary)
        store.onDisk { setHub(hub) }
        store.onNetwork { syncHub() }
        return store.onDisk { atHub(note.record) }
    }
}
