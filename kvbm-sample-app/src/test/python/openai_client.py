"""What people do with OpenAI's own client, against the service at the address given. Prints one line a deed."""

import sys

import openai

PROMPT = "The built-in function open() opens a file and returns a file object. The argument mode is"


def fails(kind, status, code, call):
    try:
        call()
    except kind as e:
        assert type(e) is kind, type(e)
        assert e.status_code == status and e.code == code and e.type == "invalid_request_error", e
        print("refused", kind.__name__, code)
    else:
        raise AssertionError(f"{kind.__name__} did not come")


def main():
    client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0, timeout=60)
    (model,) = (m.id for m in client.models.list())
    assert client.models.retrieve(model).id == model
    print("models", model)

    first = client.completions.create(model=model, prompt=PROMPT, max_tokens=24)
    second = client.completions.create(model=model, prompt=PROMPT, max_tokens=24)
    assert first.choices[0].text == second.choices[0].text != ""
    assert second.usage.prompt_tokens_details.cached_tokens > 0
    print("completed")

    pieces = list(client.completions.create(model=model, prompt=PROMPT, max_tokens=24, stream=True,
                                            stream_options={"include_usage": True}))
    assert "".join(c.text for p in pieces for c in p.choices) == first.choices[0].text
    assert len(pieces) > 10 and pieces[-1].usage.completion_tokens == first.usage.completion_tokens
    assert pieces[-2].choices[0].finish_reason == first.choices[0].finish_reason
    print("streamed")

    chat = [{"role": "system", "content": "Answer the question in a few sentences."},
            {"role": "user", "content": [{"type": "text", "text": "What does os.path.join do?"}]}]
    answer = client.chat.completions.create(model=model, messages=chat, max_completion_tokens=24, seed=3)
    assert answer.choices[0].message.role == "assistant" and answer.choices[0].message.content
    print("chatted")

    pieces = list(client.chat.completions.create(model=model, messages=chat, max_completion_tokens=24, stream=True))
    assert pieces[0].choices[0].delta.role == "assistant"
    assert "".join(p.choices[0].delta.content or "" for p in pieces) == answer.choices[0].message.content
    assert pieces[-1].choices[0].finish_reason == answer.choices[0].finish_reason
    print("streamed a chat")

    drawn = [client.completions.create(model=model, prompt=PROMPT, max_tokens=24, temperature=1.5, seed=s).choices[0].text
             for s in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2], drawn
    print("drew by seed")

    other = client.with_options(default_headers={"X-Tenant": "other"})
    assert other.completions.create(model=model, prompt=PROMPT, max_tokens=1).usage.prompt_tokens_details.cached_tokens == 0
    print("kept tenants apart")

    fails(openai.NotFoundError, 404, "model_not_found",
          lambda: client.completions.create(model="gpt-4", prompt="a"))
    fails(openai.NotFoundError, 404, "model_not_found", lambda: client.models.retrieve("gpt-4"))
    fails(openai.BadRequestError, 400, "context_length_exceeded",
          lambda: client.completions.create(model=model, prompt="word " * 9000))
    fails(openai.BadRequestError, 400, None,
          lambda: client.chat.completions.create(model=model, messages=[{"role": "tool", "content": "a",
                                                                         "tool_call_id": "1"}]))
    fails(openai.BadRequestError, 400, None,
          lambda: client.chat.completions.create(model=model, messages=chat, n=3))


main()
