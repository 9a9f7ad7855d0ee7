package io.kvbm.spring.boot.discovery;

import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.service.annotation.GetExchange;
import org.springframework.web.service.annotation.PostExchange;

/** What {@link WorkerFilter} answers, as an instance that asks sees it. */
interface WorkerApi {

    @GetExchange("/state")
    byte[] state(@RequestParam String asker);

    @GetExchange("/blockset")
    byte[] blockset(@RequestParam String asker);

    @PostExchange(url = "/ask", contentType = WorkerFilter.MESSAGE)
    byte[] ask(@RequestBody byte[] question);
}
