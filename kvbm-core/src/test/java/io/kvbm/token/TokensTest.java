package io.kvbm.token;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.RandomAccess;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

class TokensTest {

    @Test
    @DisplayName("T35 tokens come from arrays and collections, a negative int is its unsigned bit pattern")
    void conversions() {
        assertThat(Tokens.of(1, 2, 3).toIntArray()).containsExactly(1, 2, 3);
        assertThat(Tokens.copyOf(List.of(4, 5)).toIntArray()).containsExactly(4, 5);

        Tokens signed = Tokens.of(-1, 0, 1);
        assertThat(new long[]{signed.unsigned(0), signed.unsigned(1), signed.unsigned(2)})
                .containsExactly(4294967295L, 0, 1);

        assertThat(Tokens.copyOf(new int[]{9, 100, 200, 9}, 1, 3).toIntArray()).containsExactly(100, 200);
        assertThat(new ArrayList<>(Tokens.of(100, 200))).isEqualTo(List.of(100, 200));
    }

    @Test
    @DisplayName("T36 equal to every list of the same tokens, both ways, with the same hash code")
    void equality() {
        Tokens tokens = Tokens.of(1, 2, 3);
        for (List<Integer> list : List.of(List.of(1, 2, 3), Arrays.asList(1, 2, 3), new ArrayList<>(tokens),
                Tokens.of(0, 1, 2, 3, 4).subList(1, 4))) {
            assertThat(tokens.equals(list)).isTrue();
            assertThat(list.equals(tokens)).isTrue();
            assertThat(tokens.hashCode()).isEqualTo(list.hashCode());
        }
        assertThat(tokens.equals(Tokens.of(1, 2, 4))).isFalse();
        assertThat(tokens.equals(List.of(1, 2, 4))).isFalse();
        assertThat(List.of(1, 2, 4).equals(tokens)).isFalse();
        assertThat(tokens.equals(Tokens.of(1, 2))).isFalse();
        assertThat(tokens.equals(List.of(1, 2, 3, 4))).isFalse();
    }

    @Test
    @DisplayName("T37 read as a list")
    void listViews() {
        Tokens tokens = Tokens.of(10, 20, 30);
        assertThat(tokens).hasSize(3).containsExactly(10, 20, 30).isInstanceOf(RandomAccess.class);
        assertThat(tokens.get(1)).isEqualTo(20);
        assertThat(tokens.at(1)).isEqualTo(20);
        assertThat(tokens.subList(1, 3)).isEqualTo(List.of(20, 30));
        assertThat(tokens.subList(1, 3).subList(1, 2)).isEqualTo(List.of(30));
        assertThat(tokens.subList(2, 2)).isEmpty();
    }

    @Test
    void laterChangesOfTheSourceDoNotShow() {
        int[] source = {1, 2, 3};
        Tokens tokens = Tokens.of(source);
        source[0] = 9;
        tokens.toIntArray()[1] = 9;
        assertThat(tokens).isEqualTo(List.of(1, 2, 3));
    }

    @Test
    void aListOfTokensCannotBeChanged() {
        Tokens tokens = Tokens.of(1, 2, 3);
        assertThatThrownBy(() -> tokens.set(0, 9)).isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> tokens.add(9)).isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> tokens.clear()).isInstanceOf(UnsupportedOperationException.class);
    }

    @Test
    void anIndexOutsideIsRefusedEvenWhereTheSharedArrayGoesOn() {
        Tokens middle = Tokens.of(1, 2, 3, 4).subList(1, 3);
        assertThatThrownBy(() -> middle.at(2)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> middle.at(-1)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> middle.subList(0, 3)).isInstanceOf(IndexOutOfBoundsException.class);
    }
}
