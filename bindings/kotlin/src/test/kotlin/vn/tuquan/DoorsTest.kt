package vn.tuquan

import java.net.InetAddress
import java.net.ServerSocket
import java.nio.file.Path
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import vn.tuquan.data.TuquanException
import vn.tuquan.ffi.OpenOptions

class DoorsTest {
    @TempDir
    lateinit var folder: Path

    @Test
    fun cancellingACoroutineThatWaitsForTheHubEndsTheCallInTheLibrary(): Unit = runBlocking {
        ServerSocket(0, 1, InetAddress.getLoopbackAddress()).use { silent ->
            silent.soTimeout = WAIT_MS
            opened().use { store ->
                store.onDisk { found() }
                store.onDisk { setHub("http://127.0.0.1:${silent.localPort}") }
                val waiting = launch(Dispatchers.Default) { store.onNetwork { syncHub() } }
                silent.accept().use { asked ->
                    asked.soTimeout = WAIT_MS
                    waiting.cancelAndJoin()
                    // Ends only where the library lets go of its side, and fails after a while if not.
                    asked.getInputStream().readAllBytes()
                }
            }
        }
    }

    @Test
    fun changesEndWhenTheStoreCloses(): Unit = runBlocking {
        val store = opened()
        val listening = launch { store.changes.toList() }
        store.close()
        withTimeout(WAIT_MS.toLong()) { listening.join() }
    }

    @Test
    fun aFailureHasItsKindAndCode() {
        val store = runBlocking { opened() }
        store.close()
        val error = assertThrows(TuquanException.NotReady::class.java) {
            runBlocking { store.onDisk { device() } }
        }
        assertEquals(Kind.NotReady, (error as TuquanException).kind)
        assertEquals("E-NOTREADY", error.code)
    }

    private suspend fun opened() = Tuquan.open(OpenOptions("$folder/store", key(1)))

    private companion object {
        const val WAIT_MS = 10_000
    }
}
