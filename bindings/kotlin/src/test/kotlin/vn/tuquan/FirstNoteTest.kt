package vn.tuquan

import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable

/** The example of the page for app developers does what it says. */
@EnabledIfEnvironmentVariable(named = "TUQUAN_HUB", matches = ".+")
class FirstNoteTest {
    @Test
    fun theFirstNoteIsAtTheHub(): Unit = runBlocking {
        assertTrue(firstNote(environment("TUQUAN_WORK"), environment("TUQUAN_HUB")))
    }
}
