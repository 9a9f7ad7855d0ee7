package io.kvbm;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

class CancellationTokenTest {

    @Test
    void cancellingReachesTheChildrenAndNotTheParent() {
        CancellationToken root = new CancellationToken();
        CancellationToken middle = root.child();
        CancellationToken leaf = middle.child();
        CancellationToken sibling = root.child();
        middle.cancel();
        assertThat(middle.isCancelled()).isTrue();
        assertThat(leaf.isCancelled()).isTrue();
        assertThat(root.isCancelled()).isFalse();
        assertThat(sibling.isCancelled()).isFalse();
        root.cancel();
        assertThat(sibling.isCancelled()).isTrue();
    }

    @Test
    void actionsRunOnceInOrderAndAtOnceWhereItIsTooLate() {
        CancellationToken token = new CancellationToken();
        List<Integer> ran = new ArrayList<>();
        token.onCancel(() -> ran.add(1));
        token.onCancel(() -> ran.add(2));
        assertThat(ran).isEmpty();
        token.cancel();
        token.cancel();
        assertThat(ran).containsExactly(1, 2);
        token.onCancel(() -> ran.add(3));
        assertThat(ran).containsExactly(1, 2, 3);
        assertThat(token.child().isCancelled()).isTrue();
    }

    @Test
    void anActionThatThrowsDoesNotKeepTheOthers() {
        CancellationToken token = new CancellationToken();
        List<Integer> ran = new ArrayList<>();
        token.onCancel(() -> {
            throw new IllegalStateException("first");
        });
        CancellationToken child = token.child();
        token.onCancel(() -> {
            throw new IllegalStateException("second");
        });
        token.onCancel(() -> ran.add(1));
        assertThatThrownBy(token::cancel).hasMessage("first")
                .satisfies(e -> assertThat(e.getSuppressed()).singleElement()
                        .satisfies(s -> assertThat(s).hasMessage("second")));
        assertThat(ran).containsExactly(1);
        assertThat(child.isCancelled()).isTrue();
    }

    @Test
    void aParentForgetsCancelledChildren() {
        CancellationToken parent = new CancellationToken();
        parent.onCancel(() -> {});
        for (int i = 0; i < 1000; i++) {
            parent.child().cancel();
        }
        assertThat(parent.actions()).isOne();
        CancellationToken open = parent.child();
        assertThat(parent.actions()).isEqualTo(2);
        parent.cancel();
        assertThat(open.isCancelled()).isTrue();
        assertThat(parent.actions()).isZero();
    }

    @Test
    void parentAndChildMayBeCancelledAtTheSameTime() throws Exception {
        for (int round = 0; round < 200; round++) {
            CancellationToken parent = new CancellationToken();
            CancellationToken child = parent.child();
            AtomicInteger ran = new AtomicInteger();
            child.onCancel(ran::incrementAndGet);
            Thread other = Thread.ofPlatform().start(parent::cancel);
            child.cancel();
            other.join();
            assertThat(ran).hasValue(1);
            assertThat(parent.actions()).isZero();
        }
    }
}
