package io.kvbm.spring.boot.discovery;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.cloud.client.DefaultServiceInstance;
import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.serviceregistry.Registration;
import org.springframework.cloud.client.serviceregistry.ServiceRegistry;

import io.kvbm.spring.boot.discovery.KvbmCluster.Publication;

import static org.assertj.core.api.Assertions.assertThat;

@ExtendWith(OutputCaptureExtension.class)
class RegistrarTest {

    private static final Duration MILLI = Duration.ofMillis(1);
    private static final Pointer POINTER = new Pointer(-7, "/kvbm");

    private final ManualTime time = new ManualTime();
    private final Catalog catalog = new Catalog();
    private final Registrar registrar = new Registrar(POINTER, new Own("cluster-7"), catalog, time);

    /** This instance. */
    private static final class Own extends DefaultServiceInstance implements Registration {

        private static final long serialVersionUID = 1L;

        private Own(String id) {
            super(id, "cluster", "127.0.0.1", 8080, false);
        }
    }

    /** Notes what it is told, and takes nothing. */
    private static final class Catalog implements ServiceRegistry<Registration> {

        private final List<String> told = new ArrayList<>();
        private boolean throwing;
        private Runnable whileRegistering = () -> {};

        private void tell(String what) {
            told.add(what);
            if (throwing) {
                throw new IllegalStateException("No leader");
            }
        }

        @Override
        public void register(@Nullable Registration registration) {
            tell("register");
            whileRegistering.run();
        }

        @Override
        public void deregister(@Nullable Registration registration) {
            tell("deregister");
        }

        @Override
        public void close() {}

        @Override
        public void setStatus(Registration registration, String status) {}

        @Override
        @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"}) // as the interface has it
        public <T> T getStatus(Registration registration) {
            return (T) "UP";
        }
    }

    private static ServiceInstance instance(String id, Map<String, String> metadata) {
        return new DefaultServiceInstance(id, "cluster", "127.0.0.1", 8081, false, metadata);
    }

    private static final List<ServiceInstance> NOBODY = List.of();
    private static final List<ServiceInstance> OTHERS = List.of(instance("cluster-8", Map.of()),
            instance("cluster-9", new Pointer(9, "/kvbm").metadata()));
    private static final List<ServiceInstance> US = List.of(instance("cluster-8", Map.of()),
            instance("x", POINTER.metadata()));

    private void listedAfter(Duration passed, List<ServiceInstance> instances) {
        time.pass(passed);
        registrar.listed(instances);
    }

    @Test
    void whoeverIsListedIsPublishedWhateverTheCatalogThinksOfItsHealth() {
        assertThat(registrar.publication()).isEqualTo(Publication.UNPUBLISHED);
        registrar.listed(OTHERS);
        assertThat(registrar.publication()).isEqualTo(Publication.UNPUBLISHED);
        registrar.listed(US);
        assertThat(registrar.publication()).isEqualTo(Publication.PUBLISHED);
        assertThat(catalog.told).isEmpty();
    }

    @Test
    void anEntryWithOurIdIsOursThoughTheCatalogDropsMetadata() {
        registrar.listed(List.of(instance("cluster-7", Map.of())));
        assertThat(registrar.publication()).isEqualTo(Publication.PUBLISHED);
    }

    @Test
    void whatTheCatalogRefusedSilentlyIsRegisteredAgainAfterPatienceAndNoSooner(CapturedOutput output) {
        listedAfter(Registrar.PATIENCE.minus(MILLI), OTHERS);
        assertThat(catalog.told).isEmpty();
        listedAfter(MILLI, OTHERS);
        assertThat(catalog.told).containsExactly("register");
        assertThat(output).contains("worker 18446744073709551609", "look at the catalog's log");
        listedAfter(Registrar.PATIENCE.minus(MILLI), NOBODY);
        assertThat(catalog.told).hasSize(1);
        listedAfter(MILLI, NOBODY);
        assertThat(catalog.told).containsExactly("register", "register");
        assertThat(registrar.publication()).isEqualTo(Publication.UNPUBLISHED);
    }

    @Test
    void whatTheCatalogLostIsRegisteredAgainAfterPatienceFromTheLoss() {
        registrar.listed(US);
        listedAfter(Registrar.PATIENCE.multipliedBy(100), NOBODY); // that long it was published
        assertThat(registrar.publication()).isEqualTo(Publication.UNPUBLISHED);
        listedAfter(Registrar.PATIENCE.minus(MILLI), NOBODY);
        assertThat(catalog.told).isEmpty();
        listedAfter(MILLI, NOBODY);
        assertThat(catalog.told).containsExactly("register");
        listedAfter(MILLI, US);
        assertThat(registrar.publication()).isEqualTo(Publication.PUBLISHED);
    }

    @Test
    void aRegistrationThatIsUnderWayWhenWeLeaveIsTakenBack() {
        catalog.whileRegistering = registrar::withdraw;
        listedAfter(Registrar.PATIENCE, NOBODY);
        assertThat(catalog.told).containsExactly("register", "deregister", "deregister");
        registrar.listed(US);
        assertThat(registrar.publication()).isEqualTo(Publication.WITHDRAWN);
    }

    @Test
    void anAnswerThatLacksUsForAMomentChangesNothing() {
        for (int i = 0; i < 100; i++) {
            listedAfter(Registrar.PATIENCE.dividedBy(2), i % 2 == 0 ? US : NOBODY);
        }
        assertThat(catalog.told).isEmpty();
    }

    @Test
    void aRegistryThatThrowsIsToldAgain(CapturedOutput output) {
        catalog.throwing = true;
        listedAfter(Registrar.PATIENCE, NOBODY);
        listedAfter(Registrar.PATIENCE, NOBODY);
        assertThat(catalog.told).containsExactly("register", "register");
        assertThat(output).contains("could not be registered again: No leader");
        registrar.withdraw();
        assertThat(catalog.told).containsExactly("register", "register", "deregister");
        assertThat(output).contains("could not be taken out of the catalog: No leader");
        assertThat(registrar.publication()).isEqualTo(Publication.WITHDRAWN);
    }

    @Test
    void whoHasWithdrawnNeverComesBack() {
        registrar.listed(US);
        registrar.withdraw();
        registrar.withdraw();
        for (int i = 0; i < 3; i++) {
            listedAfter(Registrar.PATIENCE.multipliedBy(2), i == 1 ? US : NOBODY);
            assertThat(registrar.publication()).isEqualTo(Publication.WITHDRAWN);
        }
        assertThat(catalog.told).containsExactly("deregister");
    }

    @Test
    void aFixedListIsNeverToldAnything() {
        Registrar fixed = new Registrar(POINTER, null, null, time);
        time.pass(Registrar.PATIENCE);
        fixed.listed(NOBODY);
        fixed.withdraw();
        assertThat(fixed.publication()).isEqualTo(Publication.STATIC);
        assertThat(new Registrar(POINTER, new Own("x"), null, time).publication()).isEqualTo(Publication.STATIC);
    }
}
