# SPDX-License-Identifier: AGPL-3.0-or-later
# cmake --install BUILD --prefix P: everything lies below P (and $DESTDIR), so
# nothing of the system is changed; docs/operations.md says what root enables.
# `nfo` finds the other programs in ../libexec/nfo (src/main.c).
if(NFO_CRASH_POINTS)
	install(CODE "message(FATAL_ERROR \"a build with crash points is only for tests\")")
endif()
install(TARGETS nfo RUNTIME DESTINATION bin)
install(TARGETS nfo-client nfo-monitor nfo-server nfo-keeper nfo-keeper-vault
	nfo-fetcher nfo-spawner nfo-runner RUNTIME DESTINATION libexec/nfo)

install(DIRECTORY policies/ DESTINATION share/nfo/policies
	FILES_MATCHING PATTERN *.yaml)
install(DIRECTORY examples DESTINATION share/doc/nfo USE_SOURCE_PERMISSIONS)
install(DIRECTORY docs/ DESTINATION share/doc/nfo FILES_MATCHING PATTERN *.md)
install(FILES README.md ARCHITECTURE.md SECURITY.md CHANGELOG.md LICENSE
	DESTINATION share/doc/nfo)
install(FILES policies/README.md DESTINATION share/doc/nfo
	RENAME policies.md)
install(FILES packaging/sysusers.d/nfo.conf DESTINATION lib/sysusers.d)

# The manual and the completion are printed by the program, from the tables that
# it uses itself.  Not from a build for tests: that one may not run everywhere.
if(NOT NFO_SANITIZE AND NOT CMAKE_CROSSCOMPILING)
	set(made ${CMAKE_BINARY_DIR}/share)
	file(MAKE_DIRECTORY ${made})
	function(print to where) # WORD...
		get_filename_component(dir ${where} DIRECTORY)
		get_filename_component(name ${where} NAME)
		add_custom_command(OUTPUT ${made}/${to} DEPENDS nfo-client
			COMMAND $<TARGET_FILE:nfo-client> ${ARGN} > ${made}/${to})
		set_property(GLOBAL APPEND PROPERTY NFO_PRINTED ${made}/${to})
		install(FILES ${made}/${to} DESTINATION ${dir} RENAME ${name})
	endfunction()
	print(nfo.1 share/man/man1/nfo.1 __man 1)
	print(nfo-job.5 share/man/man5/nfo-job.5 __man 5)
	print(nfo.bash share/bash-completion/completions/nfo completion bash)
	print(nfo.zsh share/zsh/site-functions/_nfo completion zsh)
	print(nfo.fish share/fish/vendor_completions.d/nfo.fish completion fish)
	file(MAKE_DIRECTORY ${made}/man1)
	add_custom_command(OUTPUT ${made}/man1/nfo-run.1 DEPENDS nfo-client
		COMMAND $<TARGET_FILE:nfo-client> __man 1 ${made}/man1)
	set_property(GLOBAL APPEND PROPERTY NFO_PRINTED ${made}/man1/nfo-run.1)
	install(DIRECTORY ${made}/man1 DESTINATION share/man)
	get_property(printed GLOBAL PROPERTY NFO_PRINTED)
	add_custom_target(manual ALL DEPENDS ${printed})
endif()

# These name the prefix, which is known only when installing.
install(CODE "set(packaging \"${CMAKE_SOURCE_DIR}/packaging\")")
install(CODE [[
	function(put from to was is)
		file(READ "${packaging}/${from}" text)
		string(REPLACE "${was}" "${is}" text "${text}")
		message(STATUS "Installing: $ENV{DESTDIR}${to}")
		file(WRITE "$ENV{DESTDIR}${to}" "${text}")
		file(CHMOD "$ENV{DESTDIR}${to}" PERMISSIONS OWNER_READ
			OWNER_WRITE GROUP_READ WORLD_READ)
	endfunction()
	set(P "${CMAKE_INSTALL_PREFIX}")
	put(systemd/nfo.service ${P}/lib/systemd/system/nfo.service
		/usr/local/ ${P}/)
	put(apparmor/nfo ${P}/share/nfo/apparmor/nfo /usr/local/ ${P}/)
	list(APPEND CMAKE_INSTALL_MANIFEST_FILES
		${P}/lib/systemd/system/nfo.service
		${P}/share/nfo/apparmor/nfo)
]])
