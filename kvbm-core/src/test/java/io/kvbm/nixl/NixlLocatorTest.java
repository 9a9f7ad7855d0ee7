package io.kvbm.nixl;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;

/** Where NIXL is looked for, on machines that are folders of empty files. */
class NixlLocatorTest {

    @TempDir
    private Path machine;

    @Test
    void aFileThatIsGivenIsTaken() throws IOException {
        Path library = file("opt/nixl/libnixl_capi.so");
        NixlLocation found = locator(Map.of()).locate(library).orElseThrow();
        assertThat(found).isEqualTo(new NixlLocation(library, null, "unknown", NixlLocation.Origin.CONFIGURED));
    }

    @Test
    void aFolderThatIsGivenIsLookedInto() throws IOException {
        Path library = file("opt/nixl/libnixl_capi.so");
        Path plugins = Files.createDirectories(machine.resolve("opt/nixl/plugins"));
        NixlLocation found = locator(Map.of()).locate(machine.resolve("opt/nixl")).orElseThrow();
        assertThat(found.library()).isEqualTo(library);
        assertThat(found.plugins()).isEqualTo(plugins);
    }

    @Test
    void aVirtualEnvironmentThatIsGivenIsLookedInto() throws IOException {
        Path library = wheel("opt/venv/lib/python3.11/site-packages", "nixl_cu12", "1.5.1");
        NixlLocation found = locator(Map.of()).locate(machine.resolve("opt/venv")).orElseThrow();
        assertThat(found.library()).isEqualTo(library);
        assertThat(found.version()).isEqualTo("1.5.1");
        assertThat(found).hasToString("NIXL 1.5.1 at " + library);
    }

    @Test
    void aFolderOfPackagesThatIsGivenIsLookedInto() throws IOException {
        Path library = wheel("opt/packages", "nixl_cu13", "1.5.2");
        Path plugins = Files.createDirectories(library.resolveSibling("plugins"));
        assertThat(locator(Map.of()).locate(machine.resolve("opt/packages")))
                .contains(new NixlLocation(library, plugins, "1.5.2", NixlLocation.Origin.CONFIGURED));
    }

    @Test
    void theLibraryOfEitherWheelHasTheVersionOfItsOwn() throws IOException {
        Path older = wheel("opt/packages", "nixl_cu12", "1.5.1");
        Path later = wheel("opt/packages", "nixl_cu13", "1.5.2");
        assertThat(locator(Map.of()).locate(older).map(NixlLocation::version)).contains("1.5.1");
        assertThat(locator(Map.of()).locate(later).map(NixlLocation::version)).contains("1.5.2");
    }

    @Test
    void aWheelThatDoesNotNoteItsVersionIsTakenAllTheSame() throws IOException {
        Path library = file("usr/lib/python3/dist-packages/.nixl_cu13.mesonpy.libs/libnixl_capi.so");
        assertThat(locator(Map.of()).locate(null))
                .contains(new NixlLocation(library, null, "unknown", NixlLocation.Origin.WHEEL));
    }

    @Test
    void aPathThatIsGivenAndLeadsNowhereIsTheEndOfTheSearch() throws IOException {
        wheel("usr/lib/python3/dist-packages", "nixl_cu12", "1.5.1");
        assertThat(locator(Map.of()).locate(machine.resolve("nowhere"))).isEmpty();
        assertThat(locator(Map.of(NixlLocator.VARIABLE, machine + "/nowhere")).locate(null)).isEmpty();
    }

    @Test
    void aPathThatIsGivenWinsOverTheEnvironment() throws IOException {
        Path given = file("given/libnixl_capi.so");
        Path named = file("named/libnixl_capi.so");
        NixlLocator locator = locator(Map.of(NixlLocator.VARIABLE, named.toString()));
        assertThat(locator.locate(given).map(NixlLocation::library)).contains(given);
        assertThat(locator.locate(null)).contains(
                new NixlLocation(named, null, "unknown", NixlLocation.Origin.ENVIRONMENT));
    }

    @Test
    void theEnvironmentWinsOverTheUsualPlaces() throws IOException {
        Path named = file("named/libnixl_capi.so");
        wheel("usr/lib/python3/dist-packages", "nixl_cu12", "1.5.1");
        assertThat(locator(Map.of(NixlLocator.VARIABLE, machine.resolve("named").toString())).locate(null)
                .map(NixlLocation::library)).contains(named);
    }

    @Test
    void theEnvironmentMayNameAVirtualEnvironment() throws IOException {
        Path library = wheel("venv/lib64/python3.12/site-packages", "nixl_cu13", "1.5.2");
        assertThat(locator(Map.of(NixlLocator.VARIABLE, machine.resolve("venv").toString())).locate(null))
                .contains(new NixlLocation(library, null, "1.5.2", NixlLocation.Origin.ENVIRONMENT));
    }

    @Test
    void aBlankVariableNamesNothing() throws IOException {
        Path library = wheel("usr/lib/python3/dist-packages", "nixl_cu12", "1.5.1");
        assertThat(locator(Map.of(NixlLocator.VARIABLE, " ", "VIRTUAL_ENV", "", "HOME", "")).locate(null)
                .map(NixlLocation::library)).contains(library);
    }

    @Test
    void theActiveVirtualEnvironmentWinsOverTheSystem() throws IOException {
        wheel("usr/lib/python3/dist-packages", "nixl_cu12", "1.4.0");
        Path library = wheel("venv/lib/python3.12/site-packages", "nixl_cu12", "1.5.1");
        assertThat(locator(Map.of("VIRTUAL_ENV", machine.resolve("venv").toString())).locate(null)
                .map(NixlLocation::library)).contains(library);
    }

    @Test
    void wheelsAreFoundInEveryUsualFolder() throws IOException {
        for (String folder : new String[]{"usr/lib/python3/dist-packages", "usr/lib/python3.11/site-packages",
            "usr/local/lib/python3.11/dist-packages", "usr/lib64/python3.12/site-packages"}) {
            Path library = wheel(folder, "nixl_cu12", "1.5.1");
            assertThat(locator(Map.of()).locate(null).map(NixlLocation::library)).contains(library);
            Files.delete(library);
        }
        Path own = wheel("home/me/.local/lib/python3.11/site-packages", "nixl_cu13", "1.5.1");
        assertThat(locator(Map.of("HOME", machine.resolve("home/me").toString())).locate(null)
                .map(NixlLocation::library)).contains(own);
    }

    @Test
    void theLatestPythonIsAskedFirst() throws IOException {
        wheel("usr/lib/python3.9/site-packages", "nixl_cu12", "1.4.0");
        wheel("usr/lib/python3.12/site-packages", "nixl_cu12", "1.5.1");
        assertThat(locator(Map.of()).locate(null).map(NixlLocation::version)).contains("1.5.1");
    }

    @Test
    void theWheelOfTheOlderCudaIsTakenFirst() throws IOException {
        wheel("usr/lib/python3/dist-packages", "nixl_cu13", "1.5.2");
        Path library = wheel("usr/lib/python3/dist-packages", "nixl_cu12", "1.5.1");
        NixlLocation found = locator(Map.of()).locate(null).orElseThrow();
        assertThat(found.library()).isEqualTo(library);
        assertThat(found.version()).isEqualTo("1.5.1");
        assertThat(found.origin()).isEqualTo(NixlLocation.Origin.WHEEL);
    }

    @Test
    void aMachineWithoutAWheelLeavesTheSearchToTheSystem() {
        assertThat(locator(Map.of()).locate(null)).isEqualTo(Optional.of(
                new NixlLocation(Path.of("libnixl_capi.so"), null, "unknown", NixlLocation.Origin.SYSTEM)));
    }

    private NixlLocator locator(Map<String, String> environment) {
        return new NixlLocator(machine, environment);
    }

    private Path wheel(String packages, String name, String version) throws IOException {
        Files.createDirectories(machine.resolve(packages).resolve(name + "-" + version + ".dist-info"));
        return file(packages + "/." + name + ".mesonpy.libs/libnixl_capi.so");
    }

    private Path file(String path) throws IOException {
        Path file = machine.resolve(path);
        Files.createDirectories(file.getParent());
        return Files.createFile(file);
    }
}
