# What `cmake --install` puts in place. Modules install themselves (BuildRules.cmake).
include(CMakePackageConfigHelpers)

install(TARGETS jackfield RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/engine/include/jackfield DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_BINARY_DIR}/engine/include/jackfield/abi.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/jackfield)
# Somebody may have edited what an earlier installation put there: it stays.
install(CODE "
  file(GLOB files ${PROJECT_SOURCE_DIR}/conf.d/*.conf)
  foreach(file \${files})
    get_filename_component(name \${file} NAME)
    set(to \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_SYSCONFDIR}/jackfield/conf.d\")
    if(EXISTS \"\$ENV{DESTDIR}\${to}/\${name}\")
      message(STATUS \"Kept: \${to}/\${name}\")
    else()
      file(INSTALL \${file} DESTINATION \${to})
    endif()
  endforeach()")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/share/ DESTINATION ${CMAKE_INSTALL_DATADIR}/jackfield USE_SOURCE_PERMISSIONS)

# find_package(jackfield) gives jackfield::api and jackfield_add_module().
set_target_properties(jackfield_api PROPERTIES EXPORT_NAME api)
set_target_properties(jackfield_vocabulary PROPERTIES EXPORT_NAME vocabulary)
install(TARGETS jackfield_api jackfield_vocabulary EXPORT jackfield)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/jackfield)
install(EXPORT jackfield NAMESPACE jackfield:: FILE jackfieldTargets.cmake DESTINATION ${package_dir})
set(module_dir ${CMAKE_INSTALL_LIBDIR}/jackfield/modules)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/jackfieldConfig.cmake.in ${PROJECT_BINARY_DIR}/jackfieldConfig.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS module_dir)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/jackfieldConfigVersion.cmake COMPATIBILITY ExactVersion)
install(FILES ${PROJECT_BINARY_DIR}/jackfieldConfig.cmake ${PROJECT_BINARY_DIR}/jackfieldConfigVersion.cmake DESTINATION ${package_dir})

# For systemd: where it looks below this prefix (/usr and /usr/local both).
configure_file(${PROJECT_SOURCE_DIR}/cmake/jackfield.service.in ${PROJECT_BINARY_DIR}/jackfield.service @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/jackfield.service DESTINATION lib/systemd/system)
install(FILES ${PROJECT_SOURCE_DIR}/cmake/jackfield.sysusers DESTINATION lib/sysusers.d RENAME jackfield.conf)

configure_file(${PROJECT_SOURCE_DIR}/cmake/jackfield.pc.in ${PROJECT_BINARY_DIR}/jackfield.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/jackfield.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
