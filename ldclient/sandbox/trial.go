package sandbox

import (
	"reflect"
	"unsafe"
)

// trial runs do on a copy of the account's state in which nothing wants an
// approval, and returns what it would have added to the audit log.
func (a *Account) trial(do func()) []*auditEntry {
	kept := a.state
	defer func() { a.state = kept }()
	a.state = copied(kept)
	a.bypasses = true
	do()
	return a.audit[len(kept.audit):]
}

// copied is a state that shares nothing with another which could change.
func copied(s state) state {
	c := copier{}
	return *c.pointer(reflect.ValueOf(&s)).Interface().(*state)
}

// copier copies what pointers lead to, each once, so that the copy has the shape of the original.
type copier map[unsafe.Pointer]reflect.Value

func (c copier) pointer(v reflect.Value) reflect.Value {
	if v.IsNil() || v.Type() == reflect.TypeFor[*auditEntry]() { // entries never change
		return v
	}
	if known, ok := c[v.UnsafePointer()]; ok && known.Type() == v.Type() {
		return known
	}
	out := reflect.New(v.Type().Elem())
	c[v.UnsafePointer()] = out
	out.Elem().Set(v.Elem())
	c.inside(out.Elem())
	return out
}

// inside replaces what v, which is a shallow copy, shares with the original.
func (c copier) inside(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(c.pointer(v))
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			c.inside(reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()) // so that fields without a capital can be set
		}
	case reflect.Array:
		for i := range v.Len() {
			c.inside(v.Index(i))
		}
	case reflect.Slice:
		if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 { // text is replaced, not changed
			return
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(out, v)
		for i := range out.Len() {
			c.inside(out.Index(i))
		}
		v.Set(out)
	case reflect.Map:
		if v.IsNil() {
			return
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for key, value := range v.Seq2() {
			out.SetMapIndex(c.value(key), c.value(value))
		}
		v.Set(out)
	}
}

func (c copier) value(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	c.inside(out)
	return out
}
