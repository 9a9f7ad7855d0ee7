package io.kvbm.spring.boot;

import java.util.Set;
import java.util.TreeSet;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaConstructor;
import com.tngtech.archunit.core.domain.JavaMember;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.context.annotation.ImportCandidates;
import org.springframework.context.annotation.Bean;

import io.kvbm.spring.boot.actuate.KvbmEndpoint;
import io.kvbm.spring.boot.actuate.ManagerDescriptor;
import io.kvbm.spring.boot.autoconfigure.InvalidKvbmPropertyException;
import io.kvbm.spring.boot.autoconfigure.KvBlockManagerConfigCustomizer;
import io.kvbm.spring.boot.autoconfigure.KvbmProperties;
import io.kvbm.spring.boot.autoconfigure.StartupNote;
import io.kvbm.spring.boot.discovery.KvbmCluster;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.properties.CanBeAnnotated.Predicates.annotatedWith;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.members;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.methods;
import static org.assertj.core.api.Assertions.assertThat;

/** What Boot asks of auto-configurations, and what this module shows to applications. */
class HouseRulesTest {

    private static final Set<String> SHOWN = Set.of(KvbmProperties.class.getName(), KvbmEndpoint.class.getName(),
            ManagerDescriptor.class.getName(),
            KvBlockManagerConfigCustomizer.class.getName(), KvbmCluster.class.getName(),
            InvalidKvbmPropertyException.class.getName(), StartupNote.class.getName());

    private final JavaClasses main = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("io.kvbm.spring.boot");

    @Test
    void autoConfigurationsArePublicAndFinal() {
        classes().that()
                .areAnnotatedWith(AutoConfiguration.class)
                .should()
                .bePublic()
                .andShould()
                .haveModifier(JavaModifier.FINAL)
                .andShould()
                .haveSimpleNameEndingWith("AutoConfiguration")
                .check(main);
    }

    @Test
    void autoConfigurationsHaveNoPublicMembers() {
        members().that()
                .areDeclaredInClassesThat()
                .areAnnotatedWith(AutoConfiguration.class)
                // the constructor that the compiler adds is as public as its class
                .and(describe("were written", (JavaMember member) -> !(member instanceof JavaConstructor constructor
                        && constructor.getRawParameterTypes().isEmpty())))
                .should()
                .notBePublic()
                .check(main);
    }

    @Test
    void everyAutoConfigurationIsListed() {
        Set<String> found = new TreeSet<>();
        main.stream()
                .filter(type -> type.isAnnotatedWith(AutoConfiguration.class))
                .forEach(type -> found.add(type.getName()));
        assertThat(ImportCandidates.load(AutoConfiguration.class, null).getCandidates())
                .filteredOn(name -> name.startsWith("io.kvbm."))
                .containsExactlyInAnyOrderElementsOf(found)
                .isSorted();
    }

    @Test
    void conditionsOnClassesAreNotOnBeanMethods() {
        methods().that()
                .areAnnotatedWith(Bean.class)
                .should()
                .notBeAnnotatedWith(ConditionalOnClass.class)
                .check(main);
    }

    @Test
    void nothingElseIsPublic() {
        classes().that(not(annotatedWith(AutoConfiguration.class)))
                .and(describe("are not shown to applications", (JavaClass type) -> !SHOWN.contains(outermost(type))))
                .and()
                .doNotHaveSimpleName("package-info")
                .should()
                .notBePublic()
                .check(main);
    }

    @Test
    void packagesAreNullMarked() {
        Set<String> packages = new TreeSet<>();
        main.forEach(type -> packages.add(type.getPackageName()));
        assertThat(packages).hasSize(4)
                .allSatisfy(
                        name -> assertThat(Class.forName(name + ".package-info").isAnnotationPresent(NullMarked.class))
                                .as(name)
                                .isTrue());
    }

    private static String outermost(JavaClass type) {
        JavaClass outermost = type;
        while (outermost.getEnclosingClass().isPresent()) {
            outermost = outermost.getEnclosingClass().get();
        }
        return outermost.getName();
    }
}
