package io.kvbm.sample.web;

import java.util.List;

import io.kvbm.sample.engine.Completion;

/** The bodies in which an answer is written: one, or the events of a stream. */
interface AnswerForm {

    Object whole(Completion completion);

    /** What comes before the first text. */
    List<Object> beginning();

    Object piece(String text);

    Object end(Completion completion);

    Object usage(Completion completion);
}
