package io.kvbm.remote;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

import io.kvbm.error.RemoteException;

/**
 * What numbers and texts of control messages may be. Both sides are held to it: the one that asks when it makes a
 * message, the other when it reads it.
 */
final class ControlRanges {

    private ControlRanges() {}

    /** Refuses more than {@link ControlCodec#MAX_SLOTS} slots, and one below 0. */
    static void requireSlots(String what, int[] slots) {
        requireAtMost("The number of " + what, slots.length, ControlCodec.MAX_SLOTS);
        for (int slot : slots) {
            if (slot < 0) {
                throw Refusal.malformed("Slot " + slot + " is one of the " + what + "; slots count from 0");
            }
        }
    }

    /** Refuses identities of another number of words each, or of more than so many. */
    static void requireNames(int slots, int words, int most) {
        if (slots == 0 ? words > 0 : words % slots != 0 || words / slots > most) {
            throw Refusal.malformed("The identities of " + slots + " blocks have " + words
                    + " words; each has as many, at most " + most);
        }
    }

    /** Refuses a generation below 0, which no content has. */
    static void requireGenerations(long[] generations) {
        for (long generation : generations) {
            if (generation < 0) {
                throw Refusal.malformed("Generation " + generation + " is asked for; generations count from 0");
            }
        }
    }

    static void requireSameNumber(String what, int count, String ofWhat, int other) {
        if (count != other) {
            throw Refusal.malformed("There are " + count + " " + what + ", but " + other + " " + ofWhat
                    + "; give one for each");
        }
    }

    static void requireFromZero(String what, long value) {
        if (value < 0) {
            throw Refusal.malformed(what + " is " + value + "; it counts from 0");
        }
    }

    static void requireTime(Duration time) {
        if (!time.isPositive() || time.compareTo(ControlCodec.MAX_TIME) > 0) {
            throw Refusal.malformed("Blocks are to be held for " + time + "; give more than 0 and at most "
                    + ControlCodec.MAX_TIME);
        }
    }

    static void requireDigest(String digest) {
        boolean hex = digest.length() == 2 * ControlCodec.DIGEST_BYTES
                && digest.chars().allMatch(c -> (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
        if (!hex) {
            throw Refusal.malformed("The digest of a blockset is given in " + digest.length()
                    + " characters; it has " + 2 * ControlCodec.DIGEST_BYTES + " lower-case hexadecimal digits");
        }
    }

    /** Refuses a notification that is too long or no Unicode text. */
    static void requireNotification(String text) {
        // no character takes less than a byte: what is far too long is not encoded to see that it is
        requireAtMost("The length of the notification", text.length(), ControlCodec.MAX_NOTIFICATION_BYTES);
        requireAtMost("The length of the notification in bytes", utf8(text).length,
                ControlCodec.MAX_NOTIFICATION_BYTES);
    }

    static void requireAtMost(String what, long value, long limit) {
        if (value > limit) {
            throw new RemoteException(RemoteException.Kind.LIMIT,
                    what + " is " + value + ", over the limit of " + limit + " in one message; send less at once");
        }
    }

    /** The text in UTF-8. */
    static byte[] utf8(String text) {
        try {
            ByteBuffer bytes = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
            byte[] copy = new byte[bytes.remaining()];
            bytes.get(copy);
            return copy;
        } catch (CharacterCodingException e) {
            throw Refusal.malformed("A text of " + text.length() + " characters has half of one", e);
        }
    }

    /** The text of these bytes, which are UTF-8. */
    static String text(byte[] utf8) {
        try {
            return StandardCharsets.UTF_8.newDecoder()
                    .decode(ByteBuffer.wrap(utf8))
                    .toString();
        } catch (CharacterCodingException e) {
            throw Refusal.malformed("A text of " + utf8.length + " bytes is no UTF-8", e);
        }
    }

    /**
     * As much of a reason as a message carries, on one line: what explains an error never fails to be told, and cannot
     * pass for lines of the other worker's log.
     */
    static String reason(String text) {
        StringBuilder line = new StringBuilder(Math.min(text.length(), ControlCodec.MAX_REASON_BYTES));
        int bytes = 0;
        for (int i = 0; i < text.length();) {
            int character = text.codePointAt(i);
            i += Character.charCount(character);
            int shown = isShown(character) ? character : '?';
            bytes += utf8Length(shown);
            if (bytes > ControlCodec.MAX_REASON_BYTES) {
                break;
            }
            line.appendCodePoint(shown);
        }
        return line.toString();
    }

    private static boolean isShown(int character) {
        return switch (Character.getType(character)) {
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            default -> true;
        };
    }

    private static int utf8Length(int character) {
        if (character < 0x80) {
            return 1;
        }
        return character < 0x800 ? 2 : Character.charCount(character) + 2;
    }
}
