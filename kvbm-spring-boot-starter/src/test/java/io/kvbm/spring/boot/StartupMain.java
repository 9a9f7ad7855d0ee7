package io.kvbm.spring.boot;

import java.lang.management.ManagementFactory;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Configuration;

/**
 * Starts a web application without any class of its own, prints how many milliseconds it took from the start of the JVM
 * until it was ready, and how many of them the starting thread was on a processor, and ends. See
 * {@code docs/bench/startup.sh}.
 */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
public class StartupMain {

    /** Starts it with these properties. */
    public static void main(String[] arguments) {
        ConfigurableApplicationContext context = SpringApplication.run(StartupMain.class, arguments);
        long millis = ManagementFactory.getRuntimeMXBean().getUptime();
        long busy = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() / 1_000_000;
        System.out.println("started " + millis + " " + busy);
        context.close();
    }
}
