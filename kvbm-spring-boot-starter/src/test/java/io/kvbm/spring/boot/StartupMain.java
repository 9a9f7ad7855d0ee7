package io.kvbm.spring.boot;

import java.lang.management.ManagementFactory;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Configuration;

/**
 * Starts a web application without any class of its own, prints the milliseconds from the start of the JVM until it was
 * ready, and ends. See {@code docs/bench/startup.sh}.
 */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
public class StartupMain {

    /** Starts it with these properties. */
    public static void main(String[] arguments) {
        ConfigurableApplicationContext context = SpringApplication.run(StartupMain.class, arguments);
        System.out.println("started " + ManagementFactory.getRuntimeMXBean().getUptime());
        context.close();
    }
}
