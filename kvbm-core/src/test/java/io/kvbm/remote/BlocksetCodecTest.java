package io.kvbm.remote;

import java.util.Random;

import org.junit.jupiter.api.Test;

import io.kvbm.testing.RandomCase;

import static org.assertj.core.api.Assertions.assertThat;

class BlocksetCodecTest {

    @Test
    void whatIsWrittenIsReadAsItWas() {
        Random random = RandomCase.random("whatIsWrittenIsReadAsItWas");
        for (int i = 0; i < RandomCase.cases(2000); i++) {
            Blockset blockset = RandomBlockset.any(random);
            byte[] document = BlocksetCodec.encode(blockset);
            assertThat(document).hasSizeLessThanOrEqualTo(BlocksetCodec.MAX_BYTES);
            Blockset read = BlocksetCodec.decode(document);
            assertThat(read).isEqualTo(blockset).hasSameHashCodeAs(blockset);
            assertThat(BlocksetCodec.encode(read)).isEqualTo(document);
        }
    }

    @Test
    void hostileBytesAreRefusedWhateverTheyAre() {
        Random random = RandomCase.random("hostileBytesAreRefusedWhateverTheyAre");
        int read = 0;
        byte[] other = {};
        for (int i = 0; i < RandomCase.cases(400); i++) {
            byte[] document = BlocksetCodec.encode(RandomBlockset.any(random));
            for (int j = 0; j < 50; j++) {
                byte[] mutated = Hostile.mutated(document, other, random);
                Hostile.decode(mutated);
                read += Hostile.decode(Hostile.sealed(mutated)) ? 1 : 0;
            }
            other = document;
        }
        assertThat(read).isPositive();
    }
}
