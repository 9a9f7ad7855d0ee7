package io.kvbm.sample.web;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.openqa.selenium.By;
import org.openqa.selenium.Dimension;
import org.openqa.selenium.OutputType;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.WindowType;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.chrome.ChromeDriverService;
import org.openqa.selenium.chrome.ChromeOptions;
import org.openqa.selenium.logging.LogType;
import org.openqa.selenium.support.ui.WebDriverWait;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.cloud.client.discovery.simple.InstanceProperties;
import org.springframework.cloud.client.discovery.simple.SimpleDiscoveryProperties;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Import;

import io.kvbm.KvBlockManager;
import io.kvbm.pool.PoolStats;
import io.kvbm.sample.SampleApplication;

import static org.assertj.core.api.Assertions.assertThat;

/** The page at {@code /}, clicked and read in a browser, where {@code .ci/browser} has put one. */
@Tag("browser")
@EnabledIf("browserIsThere")
@SpringBootTest(webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT, properties = {"kvbm.host.size=8MB",
    "kvbm.cluster.poll-interval=100ms", "kvbm.cluster.ask-interval=200ms", PageTest.NOBODY})
@Import(PageTest.Endpoint.class)
class PageTest {

    /** An empty catalog. */
    static final String NOBODY = "spring.cloud.discovery.client.simple.instances.kvbm-sample=";

    private static final Path BROWSER = Path.of("/usr/bin/chromium");
    private static final Path DRIVER = Path.of("/usr/bin/chromedriver");
    private static final Path PICTURES = Path.of("target", "page");
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    /** Three times the time between two looks at the endpoint. */
    private static final Duration SILENCE = Duration.ofSeconds(3);

    private static final String PROMPT = "The built-in function open() opens a file and returns a file object. The"
            + " argument mode is a string that says how the file is opened, and the argument encoding is the name of"
            + " the encoding used to decode or encode the file.";

    private static ChromeDriver browser;

    @LocalServerPort
    private int port;

    @Autowired
    private KvBlockManager manager;

    /** Where other instances are looked for, each time anew. */
    @Autowired
    private SimpleDiscoveryProperties catalog;

    @Autowired
    private Endpoint endpoint;

    /** Before what the page looks at every second: knows when it was asked, and holds the answer back where told to. */
    static final class Endpoint implements Filter {

        private final AtomicInteger owed = new AtomicInteger();
        private volatile long asked;
        private volatile CountDownLatch open = new CountDownLatch(0);

        @Override
        public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
                throws IOException, ServletException {
            if (!((HttpServletRequest) request).getRequestURI().equals("/actuator/kvbm")) {
                chain.doFilter(request, response);
                return;
            }
            asked = System.nanoTime();
            owed.incrementAndGet();
            try {
                open.await();
                chain.doFilter(request, response);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new ServletException(e);
            } finally {
                owed.decrementAndGet();
            }
        }

        void hold() {
            open = new CountDownLatch(1);
        }

        void answer() {
            open.countDown();
        }

        int owed() {
            return owed.get();
        }

        boolean notAskedFor(Duration time) {
            return System.nanoTime() - asked > time.toNanos();
        }
    }

    static boolean browserIsThere() {
        String required = System.getenv().getOrDefault("KVBM_REQUIRE", "");
        return Arrays.asList(required.split(",", -1)).contains("browser")
                || (Files.isExecutable(BROWSER) && Files.isExecutable(DRIVER));
    }

    @BeforeAll
    static void open() throws IOException {
        ChromeOptions options = new ChromeOptions();
        options.setBinary(BROWSER.toFile());
        options.addArguments("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-default-apps", "--no-first-run", "--metrics-recording-only", "--disable-extensions",
                "--disable-domain-reliability", "--disable-features=MediaRouter,OptimizationHints,Translate",
                "--renderer-process-limit=1");
        options.setCapability("goog:loggingPrefs", Map.of(LogType.BROWSER, "ALL"));
        browser = new ChromeDriver(new ChromeDriverService.Builder().usingDriverExecutable(DRIVER.toFile()).build(),
                options);
        Files.createDirectories(PICTURES);
    }

    @AfterAll
    static void close() {
        browser.quit();
    }

    @BeforeEach
    void load() {
        manager.host().orElseThrow().clear();
        browser.manage().window().setSize(new Dimension(1280, 900));
        load(port);
    }

    private static void load(int at) {
        browser.get("http://localhost:" + at + "/");
        until(() -> !text("model").isEmpty());
    }

    private static void until(BooleanSupplier condition) {
        new WebDriverWait(browser, PATIENCE).until(_ -> condition.getAsBoolean());
    }

    private static String text(String id) {
        return browser.findElement(By.id(id)).getText();
    }

    private static List<WebElement> all(String css) {
        return browser.findElements(By.cssSelector(css));
    }

    private static void click(String id) {
        browser.findElement(By.id(id)).click();
    }

    /** Types a text, clicks, and waits for the answer's account. */
    private static void ask(String text, String button) {
        int answers = all("#answers tr").size();
        WebElement field = browser.findElement(By.id("text"));
        field.clear();
        field.sendKeys(text);
        click(button);
        until(() -> all("#answers tr").size() == answers + 1 && browser.findElement(By.id("send")).isEnabled());
    }

    private static void picture(String name) throws IOException {
        Files.write(PICTURES.resolve(name + ".png"), browser.getScreenshotAs(OutputType.BYTES));
    }

    private static void phone() {
        browser.manage().window().setSize(new Dimension(390, 844));
    }

    private static void nothingIsCutOff() {
        Long wide = (Long) browser.executeScript("return document.documentElement.scrollWidth - window.innerWidth");
        assertThat(wide).isLessThanOrEqualTo(0);
    }

    private static void prompts() {
        browser.findElement(By.cssSelector("input[value=completion]")).click();
        WebElement most = browser.findElement(By.id("most"));
        most.clear();
        most.sendKeys("12");
    }

    @Test
    void theBlocksOfAPromptAreComputedFirstAndFoundThen() throws IOException {
        assertThat(text("model")).isEqualTo("kvbm-sample-decoder");
        prompts();
        ask(PROMPT, "send");
        int blocks = all("#blocks span").size();
        assertThat(blocks).isGreaterThan(3);
        assertThat(all("#blocks .new")).hasSize(blocks);
        assertThat(all(".turn.assistant").getLast().getText()).isNotBlank();

        ask(PROMPT, "send");
        assertThat(all("#blocks span")).hasSize(blocks);
        assertThat(all("#blocks .own")).hasSize(blocks - 1);
        assertThat(all("#blocks .new")).hasSize(1);
        assertThat(all("#answers tr").getFirst().getText()).contains("%)").contains(" ms");

        ask(PROMPT, "cold");
        assertThat(all("#blocks .new")).hasSize(blocks);
        assertThat(all("#answers tr").getFirst().getText()).endsWith("without reuse");
        picture("prompt");
    }

    @Test
    void theBlocksOfAPromptThatAnotherInstanceHasComputedComeFromThere() throws IOException {
        try (ConfigurableApplicationContext other = new SpringApplicationBuilder(SampleApplication.class).run(
                "--server.port=0", "--kvbm.host.size=8MB", "--kvbm.shutdown.delay=0s", "--" + NOBODY)) {
            int otherPort = other.getEnvironment().getRequiredProperty("local.server.port", Integer.class);
            InstanceProperties listed = new InstanceProperties();
            listed.setServiceId("kvbm-sample");
            listed.setUri(URI.create("http://localhost:" + otherPort));
            catalog.setInstances(Map.of("kvbm-sample", List.of(listed)));
            load(otherPort);
            prompts();
            ask(PROMPT, "send");
            int blocks = all("#blocks .new").size();

            load(port);
            prompts();
            until(() -> peer().matches("\\S+ live same-host \\d+ 0") && known() >= blocks - 1);
            ask(PROMPT, "send");
            assertThat(all("#blocks .peer")).hasSize(blocks - 1)
                    .allSatisfy(block -> assertThat(block.getDomAttribute("title")).endsWith("from a peer"));
            assertThat(all("#blocks .new")).hasSize(1);
            assertThat(all("#answers tr").getFirst().getText()).endsWith(" from a peer");
            until(() -> peer().endsWith(" " + (blocks - 1)));
            assertThat(manager.stats().tokensFromPeers()).isPositive();
            until(() -> counts("tokens from peers", manager.stats().tokensFromPeers()));
            picture("peer");

            ask(PROMPT, "send");
            assertThat(all("#blocks .own")).hasSize(blocks - 1);
            assertThat(all("#blocks .peer")).isEmpty();
            ask(PROMPT, "cold");
            assertThat(all("#answers tr")).hasSize(3);
            phone();
            nothingIsCutOff();
            browser.executeScript("document.getElementById('answers').scrollIntoView({block: 'center'})");
            picture("peer-phone");
        } finally {
            catalog.setInstances(Map.of());
        }
    }

    /** The table's only row: worker, state, transport, blocks known of it and taken. Read at once, as it is made anew. */
    private static String peer() {
        return String.valueOf(browser.executeScript("return [...document.querySelectorAll('#peers td')]"
                + ".map(cell => cell.textContent).join(' ')"));
    }

    private static int known() {
        return Integer.parseInt(peer().split(" ", -1)[3]);
    }

    @Test
    void aChatReusesItsTurnsBefore() throws IOException {
        ask("What does os.path.join do?", "send");
        ask("And what is it for?", "send");
        assertThat(all(".turn.user")).hasSize(2);
        assertThat(all(".turn.assistant")).hasSize(2);
        assertThat(all("#blocks .own").size()).isGreaterThan(all("#blocks .new").size());
        picture("chat");
        click("anew");
        assertThat(all(".turn")).isEmpty();
    }

    @Test
    void levelsAndCountersAreThoseOfTheManager() {
        prompts();
        ask(PROMPT, "send");
        PoolStats host = manager.host().orElseThrow().stats();
        int held = host.total() - host.free();
        until(() -> text("levels").startsWith("host: " + held + " of "));
        until(() -> counts("tokens asked for", manager.stats().tokensRequested()));
    }

    private static boolean counts(String name, long value) {
        return (text("counters") + "\n").contains(name + "\n" + String.format(Locale.ENGLISH, "%,d", value) + "\n");
    }

    @Test
    void anAnswerThatIsSlowIsWaitedForAndTheGraphGoesOnWhereTheTimeIs() {
        until(() -> drawn().size() > 1);
        endpoint.hold();
        try {
            until(() -> endpoint.owed() > 0 && endpoint.notAskedFor(SILENCE));
            assertThat(endpoint.owed()).as("requests that wait for an answer").isOne();
        } finally {
            endpoint.answer();
        }
        int before = drawn().size();
        until(() -> drawn().size() > before);

        List<Double> seconds = drawn();
        assertThat(seconds).isSorted();
        assertThat(seconds.getLast()).as("now, at the right end of two minutes").isEqualTo(120.0);
        double longest = IntStream.range(1, seconds.size())
                .mapToDouble(i -> seconds.get(i) - seconds.get(i - 1))
                .max()
                .orElseThrow();
        assertThat(longest).as("seconds between two points").isGreaterThan((double) SILENCE.toSeconds());
    }

    /** Where the points of the first level's graph are. Read at once, as it is made anew. */
    private static List<Double> drawn() {
        String points = String.valueOf(browser.executeScript("const graph = document.querySelector('#levels polyline');"
                + "return graph ? graph.getAttribute('points') : ''"));
        return Pattern.compile("([0-9.]+),").matcher(points).results().map(x -> Double.valueOf(x.group(1))).toList();
    }

    @Test
    void aPageThatNobodySeesAsksNothingUntilItIsSeen() {
        String page = browser.getWindowHandle();
        browser.switchTo().newWindow(WindowType.TAB);
        try {
            until(() -> endpoint.notAskedFor(SILENCE));
        } finally {
            browser.close();
            browser.switchTo().window(page);
        }
        until(() -> !endpoint.notAskedFor(SILENCE));
    }

    @Test
    void whatIsRefusedIsSaidInTheServicesWords() {
        prompts();
        WebElement most = browser.findElement(By.id("most"));
        most.clear();
        most.sendKeys("1024");
        WebElement field = browser.findElement(By.id("text"));
        browser.executeScript("arguments[0].value = 'a b '.repeat(4000)", field);
        click("send");
        until(() -> !all(".turn.wrong").isEmpty());
        assertThat(all(".turn.wrong").getFirst().getText()).contains("shorten the prompt");
    }

    @Test
    void onAPhoneNothingIsCutOff() throws IOException {
        phone();
        prompts();
        ask(PROMPT, "send");
        nothingIsCutOff();
        picture("phone");
    }

    @Test
    void theBrowserHasNothingToComplainOf() {
        browser.manage().logs().get(LogType.BROWSER); // forgets what tests before have had refused
        browser.navigate().refresh();
        prompts();
        ask(PROMPT, "send");
        assertThat(browser.manage().logs().get(LogType.BROWSER).getAll()).isEmpty();
    }
}
