package io.kvbm.spring.boot.discovery;

import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.service.annotation.GetExchange;
import org.springframework.web.service.annotation.PostExchange;

/** What {@link WorkerFilter} answers, as an instance that asks sees it. */
interface WorkerApi {

    @GetExchange("/state")
    byte[] state(@RequestParam String asker);

    @GetExchange("/blockset")
    byte[] blockset(@RequestHeader(name = Addressee.HEADER, required = false) @Nullable String to,
            @RequestParam String asker);

    /** Asks the addressee anything, and nobody else who sits there by now. */
    @PostExchange(url = "/ask", contentType = WorkerFilter.MESSAGE)
    byte[] ask(@RequestHeader(name = Addressee.HEADER, required = false) @Nullable String to,
            @RequestBody byte[] question);
}
