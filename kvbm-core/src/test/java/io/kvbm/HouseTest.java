package io.kvbm;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

/** The rooms of the house and the arrows between them. */
class HouseTest {

    private static final JavaClasses HOUSE = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("io.kvbm");

    @Test
    void roomsKnowOnlyTheRoomsBelowThem() {
        layeredArchitecture().consideringOnlyDependenciesInLayers() //
                .layer("time")
                .definedBy("io.kvbm.time") //
                .layer("error")
                .definedBy("io.kvbm.error") //
                .layer("token")
                .definedBy("io.kvbm.token") //
                .layer("layout")
                .definedBy("io.kvbm.layout") //
                .layer("storage")
                .definedBy("io.kvbm.storage") //
                .layer("block")
                .definedBy("io.kvbm.block") //
                .layer("event")
                .definedBy("io.kvbm.event") //
                .layer("pool")
                .definedBy("io.kvbm.pool") //
                .layer("transfer")
                .definedBy("io.kvbm.transfer") //
                .layer("remote")
                .definedBy("io.kvbm.remote") //
                .layer("nixl")
                .definedBy("io.kvbm.nixl") //
                .layer("cuda")
                .definedBy("io.kvbm.cuda") //
                .layer("tier")
                .definedBy("io.kvbm.tier") //
                .layer("manager")
                .definedBy("io.kvbm") //
                .whereLayer("time")
                .mayNotAccessAnyLayer() //
                .whereLayer("error")
                .mayNotAccessAnyLayer() //
                .whereLayer("token")
                .mayOnlyAccessLayers("error", "layout") //
                .whereLayer("layout")
                .mayOnlyAccessLayers("error") //
                .whereLayer("storage")
                .mayOnlyAccessLayers("error", "layout", "time") //
                .whereLayer("block")
                .mayOnlyAccessLayers("error", "token", "layout", "storage") //
                .whereLayer("event")
                .mayOnlyAccessLayers("error", "storage") //
                .whereLayer("pool")
                .mayOnlyAccessLayers("error", "time", "token", "layout", "storage", "block", "event") //
                .whereLayer("transfer")
                .mayOnlyAccessLayers("error", "time", "layout", "storage", "block") //
                .whereLayer("remote")
                .mayOnlyAccessLayers("error", "time", "token", "layout", "storage", "block", "pool", "event",
                        "transfer") //
                .whereLayer("nixl")
                .mayOnlyAccessLayers("error", "time", "layout", "storage", "block", "transfer") //
                .whereLayer("cuda")
                .mayOnlyAccessLayers("error", "time", "layout", "storage", "block", "transfer") //
                .whereLayer("tier")
                .mayOnlyAccessLayers("error", "time", "token", "layout", "storage", "block", "pool", "transfer") //
                .check(HOUSE);
    }

    @Test
    void onlyTheRoomOfNixlNamesJna() {
        noClasses().that()
                .resideOutsideOfPackage("io.kvbm.nixl")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("com.sun.jna..")
                .check(HOUSE);
    }

    @Test
    void onlyOneClassOfTheRoomOfCudaNamesJcuda() {
        noClasses().that()
                .doNotHaveFullyQualifiedName("io.kvbm.cuda.Driver")
                .and()
                .haveNameNotMatching("io\\.kvbm\\.cuda\\.Driver\\$.*")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("jcuda..")
                .check(HOUSE);
    }

    @Test
    void roomsHaveNoCycles() {
        slices().matching("io.kvbm.(*)..").should().beFreeOfCycles().check(HOUSE);
    }

    @Test
    void coreKnowsNoFramework() {
        noClasses().should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.springframework..", "io.micrometer..", "sun.misc..",
                        "jdk.internal..")
                .check(HOUSE);
    }

    @Test
    void onlyTheClockSeamAsksForTheTime() {
        noClasses().that()
                .resideOutsideOfPackage("io.kvbm.time")
                .should()
                .callMethod(System.class, "nanoTime")
                .orShould()
                .callMethod(System.class, "currentTimeMillis")
                .orShould()
                .callMethod(Thread.class, "sleep", long.class)
                .orShould()
                .callMethod(Thread.class, "sleep", java.time.Duration.class)
                .check(HOUSE);
    }

    @Test
    void everyExceptionOfOursIsOfTheFamily() {
        classes().that().areAssignableTo(Throwable.class).should().resideInAPackage("io.kvbm.error").check(HOUSE);
    }

    @Test
    void namesSayWhatAThingIs() {
        noClasses().should()
                .haveSimpleNameEndingWith("Impl")
                .orShould()
                .haveSimpleNameEndingWith("Helper")
                .orShould()
                .haveSimpleNameEndingWith("Util")
                .orShould()
                .haveSimpleNameEndingWith("Utils")
                .check(HOUSE);
    }
}
