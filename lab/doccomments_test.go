package lab_test

import (
	"go/ast"
	"go/token"
	"slices"
	"testing"
)

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for dir, files := range packages(t) {
		documented := slices.ContainsFunc(files, func(f source) bool { return !f.test() && f.file.Doc.Text() != "" })
		compiled := slices.ContainsFunc(files, func(f source) bool { return !f.test() })
		if compiled && !documented {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}

func TestEveryExportedSymbolSaysWhatItIs(t *testing.T) {
	for _, files := range packages(t) {
		for _, f := range files {
			if f.test() {
				continue
			}
			for _, name := range undocumented(f.file) {
				t.Errorf("%s: %s is exported and has no doc comment", f.path, name)
			}
		}
	}
}

// undocumented lists the exported symbols of a file that have no doc comment.
func undocumented(f *ast.File) []string {
	var names []string
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if name, ok := exportedFunc(d); ok && d.Doc.Text() == "" {
				names = append(names, name)
			}
		case *ast.GenDecl:
			names = append(names, undocumentedSpecs(d)...)
		}
	}
	return names
}

// wellKnown are methods whose meaning the standard library has fixed.
var wellKnown = []string{"Error", "String", "Unwrap", "Len", "Less", "Swap"}

// exportedFunc names a function, or a method of an exported type, that its
// package's users can call and cannot know already.
func exportedFunc(d *ast.FuncDecl) (string, bool) {
	if !d.Name.IsExported() {
		return "", false
	}
	if d.Recv == nil {
		return d.Name.Name, true
	}
	of := receiver(d.Recv.List[0].Type)
	return of + "." + d.Name.Name, ast.IsExported(of) && !slices.Contains(wellKnown, d.Name.Name)
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr: // of a type with a parameter
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// undocumentedSpecs looks at types, constants and variables. A group's comment
// speaks for the constants and variables in it, a line's own comment for its line.
func undocumentedSpecs(d *ast.GenDecl) []string {
	if d.Tok == token.IMPORT {
		return nil
	}
	var names []string
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			alone := !d.Lparen.IsValid()
			if s.Name.IsExported() && s.Doc.Text() == "" && (!alone || d.Doc.Text() == "") {
				names = append(names, s.Name.Name)
			}
		case *ast.ValueSpec:
			if d.Doc.Text() != "" || s.Doc.Text() != "" || s.Comment.Text() != "" {
				continue
			}
			for _, n := range s.Names {
				if n.IsExported() {
					names = append(names, n.Name)
				}
			}
		}
	}
	return names
}
